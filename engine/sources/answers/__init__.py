"""Turns the results of commands, live or recorded, into records. Pure: no I/O, no clock."""
