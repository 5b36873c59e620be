"""Homes that several processes share: the exchange of statuses between processes, and draining a process.

Ownership of homes is decided elsewhere (`engine/claims.py`). Nothing here may end, delay or confuse a home.
"""
