"""One answer over all homes of a fleet: its topics, read into one SQLite file of its own, and served read-only. Keeps no home."""
