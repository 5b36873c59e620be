"""Which tables a file has: none before the first transaction that writes."""

import apsw


def has_table(connection: apsw.Connection, table: str) -> bool:
    """Whether there is a table, or a view in its place, of this name."""
    found = connection.execute(
        "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?", (table,)
    )
    return found.fetchone() is not None
