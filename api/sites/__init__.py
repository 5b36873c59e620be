"""Many homes on one port: the list of homes, each home's own routes under its name, and routes over all homes."""
