"""Devices, entities and the other registries, from the rows."""
