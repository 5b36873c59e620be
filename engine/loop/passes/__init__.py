"""One pass: read, compare, apply and report every replica. Starts when it is called; knows no service."""
