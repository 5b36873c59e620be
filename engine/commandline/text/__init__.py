"""What a person reads: plans, drift, log lines, progress, colour. Values in, text out."""
