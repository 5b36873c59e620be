"""The SQLite rows: the replica that users query, with the ledger in the same file."""
