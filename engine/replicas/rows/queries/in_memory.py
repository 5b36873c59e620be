"""A home as rows in memory: the tables of the rows file, filled from records, for the same reader as the file."""

# ruff: noqa: S608 (names in statements are our own tables and columns; values are bound)

from collections.abc import Mapping

import apsw

from engine.core.home.derived import Derived
from engine.core.records.record import Key, Record
from engine.core.times import rfc3339
from engine.errors import SourceInvalid
from engine.replicas.rows.codec import encode_row
from engine.replicas.rows.columns import TABLES, Value
from engine.replicas.rows.queries.read_transactions import RowsTransaction
from engine.replicas.rows.queries.revision_cache import RevisionCache
from engine.replicas.rows.schema import ensure_schema

_NAME = "memory"


def rows_in_memory(
    records: Mapping[Key, Record], derived: Mapping[Key, Derived], recorded_at: Mapping[Key, float]
) -> RowsTransaction:
    """The rows of these records, each last changed when it was recorded (Unix seconds).

    They exist as long as the returned object, for one thread at a time. If two entities have the same entity_id, the rows
    contain the one recorded last. Raises SourceInvalid for values that a row cannot hold.
    """
    rows: dict[str, list[tuple[Value, ...]]] = {}
    for key in sorted(records, key=recorded_at.__getitem__):
        values = encode_row(records[key], derived.get(key), rfc3339(recorded_at[key]))
        rows.setdefault(key.registry, []).append(values)
    connection = apsw.Connection(":memory:")
    with connection:
        ensure_schema(connection, _NAME)
        for registry, values_of in rows.items():
            table = TABLES[registry]
            names, places = ", ".join(table.sql_names), ", ".join("?" * len(table.sql_names))
            try:
                connection.executemany(
                    f"INSERT OR REPLACE INTO {table.name} ({names}) VALUES ({places})", values_of
                )
            except (apsw.Error, OverflowError, UnicodeError) as error:
                raise SourceInvalid(f"A {registry} row cannot be held: {error}.") from error
    return RowsTransaction(connection, 0, RevisionCache())
