"""One SQLite file of ours: opening, reading, writing, and noticing whether others wrote. Knows no table."""
