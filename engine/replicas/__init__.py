"""Replicas: the stores that are kept equal to Home Assistant. Adapters do not know each other."""
