"""All Prometheus series of one home, from its status and the sizes of its files."""
