"""Changes: the change feed, its stream, and the runs that wrote."""
