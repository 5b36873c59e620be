"""Devices, entities and the other registries, as the rows have them."""
