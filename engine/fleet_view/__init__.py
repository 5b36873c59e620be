"""One view of all homes of a fleet: reads its topics into one SQLite file and serves that file read-only. Keeps no home."""
