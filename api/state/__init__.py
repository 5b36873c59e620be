"""The state of the mirror: health, status and drift."""
