"""The home as Home Assistant has it: records, their hashes, derived values, and snapshots."""
