"""What can be set, what people write for it, and where each value came from. Opens nothing that a setting names."""
