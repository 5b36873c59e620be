"""How it stands: health, status and drift."""
