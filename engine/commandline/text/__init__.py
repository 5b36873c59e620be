"""Text for people: plans, drift, log lines, progress, colour. Values in, text out."""
