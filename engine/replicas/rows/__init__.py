"""The SQLite rows: the replica that people query, with the ledger in the same file."""
