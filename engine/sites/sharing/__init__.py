"""Homes that several processes share: what each tells the others, hears of them, and does when it is drained.

Who owns a home is decided elsewhere (`engine/claims.py`). Nothing here may end, delay or confuse a home.
"""
