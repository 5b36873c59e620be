"""One SQLite file of ours: opens, reads and writes it, and detects other programs' writes. Knows no tables."""
