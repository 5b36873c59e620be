"""Finds out from bytes what did not change, so that a relist costs what changed. Only caches."""
