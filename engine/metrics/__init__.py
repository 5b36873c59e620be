"""Every Prometheus series of one home, from its status and from the sizes of its files."""
