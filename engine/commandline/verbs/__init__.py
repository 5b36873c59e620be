"""One module per command: its work once the arguments are parsed."""
