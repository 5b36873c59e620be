"""The tables of a SQLite file: none before the first write. They also show which of our files it is.

A file that replaces another kind of file is refused and left unchanged. Otherwise each would get the other's tables
beside its own, and its content would no longer be found.
"""

import apsw

from engine.errors import ReplicaRejected

ROWS, HISTORY, OUTBOX = "rows file", "history file", "outbox"
# Any of these tables is enough.
_TABLES = {ROWS: "reconcile_meta", OUTBOX: "reconcile_outbox"}
_HISTORY_COLUMNS = {"at_ns", "registry", "id", "digest", "run_id"}  # others have tables of that name too
# The tables that tell the kinds apart, in one statement: each use of a file asks for them.
_TOLD_BY = """SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')
  AND name IN ('reconcile_meta', 'reconcile_outbox', 'records', 'meta')"""


def has_table(connection: apsw.Connection, table: str) -> bool:
    """Whether there is a table, or a view, of this name."""
    found = connection.execute(
        "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?", (table,)
    )
    return found.fetchone() is not None


def is_empty(connection: apsw.Connection) -> bool:
    """Whether there are no tables."""
    return connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None


def check_kind(connection: apsw.Connection, replica: str, wanted: str) -> frozenset[str]:
    """The tables that are there of those by which our files are recognised, and the history's `meta`.

    Raises ReplicaRejected if the file is a different one of ours than `wanted`.
    """
    present = frozenset(str(name) for (name,) in connection.execute(_TOLD_BY))
    kinds = [kind for kind, table in _TABLES.items() if table in present]
    if "records" in present:
        columns = {
            str(name) for (name,) in connection.execute("SELECT name FROM pragma_table_info('records')")
        }
        kinds += [HISTORY] if columns >= _HISTORY_COLUMNS else []
    other = next((kind for kind in kinds if kind != wanted), None)
    if other is not None and wanted not in kinds:
        raise ReplicaRejected(
            replica,
            f"The file is {_article(other)} {other}, but {_article(wanted)} {wanted} was expected.",
            "Nothing was changed. Put the files where they belong, or correct rows.file and records.uri.",
        )
    return present


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
