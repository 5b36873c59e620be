"""Recognises unchanged rows by their bytes, so that a relist only costs what changed. Only caches."""
