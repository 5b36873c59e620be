"""One registry item: its canonical form and hash, how odd values are read, and which registries there are. Knows no home."""
