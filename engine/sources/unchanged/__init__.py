"""Telling what did not change from bytes, so that a relist costs what changed. Only caches."""
