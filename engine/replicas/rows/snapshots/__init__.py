"""Snapshots of the rows file: taking and restoring them."""
