"""One SQLite file of ours: opening, reading, writing, and telling whether others wrote. Knows no table."""
