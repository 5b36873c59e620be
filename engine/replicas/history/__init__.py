"""The history file: every version of every record, append-only."""
