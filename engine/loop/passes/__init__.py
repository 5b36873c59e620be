"""One pass: read, compare, apply and report every replica. Runs when called, and does not depend on the service."""
