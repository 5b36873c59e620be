"""The view's SQLite file: its tables, what writes them, and the answers that are read from them."""
