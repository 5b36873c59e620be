"""The view's SQLite file: its tables, the writer, and the queries."""
