"""Many homes over one port: the list of homes, each home's own routes under its name, and questions about all."""
