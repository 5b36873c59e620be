"""Reads the desired state from Home Assistant, in any of its forms; never writes to it."""
