"""What a pass learned, kept for the next process: only a cache, and never believed where bytes or rows differ."""
