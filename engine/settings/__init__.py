"""The settings, the parsing of their written values, and the origin of each value. Opens nothing that a setting names."""
