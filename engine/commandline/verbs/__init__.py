"""One module per command: what it does once its arguments are read."""
