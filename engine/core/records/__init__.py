"""One registry item: its canonical form and hash, the reading of odd values, and the list of registries. Knows no home."""
