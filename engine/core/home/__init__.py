"""The home as Home Assistant has it: records, their hashes, what is derived from them, and a snapshot of all."""
