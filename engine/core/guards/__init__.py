"""Checks that refuse operations: guards, doubtful reads, absences, and which home a store belongs to."""
