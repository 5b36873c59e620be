"""Fills empty tables: without lookups, and encoding each row once for its columns, its digest and reading back.

The write is as safe as any other: one transaction with the change feed and the ledger, and every row is read back.
"""

# ruff: noqa: S608 (names in statements are our own tables and columns; values are bound)

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import attrgetter

import apsw
import msgspec

from engine.core.compare.plan import Action, Operation
from engine.core.records.content_hash import seed_of
from engine.core.records.record import Key
from engine.ports import Run
from engine.replicas.rows.codec import digest_row, encode_row, format_time
from engine.replicas.rows.columns import TABLES, Table
from engine.replicas.rows.ledger import entries, feed
from engine.replicas.rows.ledger.tombstones import has_tombstones
from engine.replicas.rows.reader import has_rows, select_text
from engine.replicas.rows.summed_rows import SummedRows
from engine.replicas.rows.writing.read_back import check_rows
from engine.replicas.sqlite_file.digests import RowSum, sum_rows
from engine.replicas.sqlite_file.set_up import with_room

# Enough that no unfinished page is written to the log: with SQLite's 2 MiB, 20,000 entities write a third more.
_ROOM_KIB = 8_192
# Operations per batch, whose encoded form is not kept. Few enough for the processor's cache, because each record is encoded
# twice, and its row three times: with 1,000, all of that takes a sixth longer.
_BATCH = 128
_registry = attrgetter("difference.key.registry")
# Like SQLite's json_array writes the same values, except for some characters.
_encode_text = msgspec.json.Encoder().encode


def can_fill(connection: apsw.Connection, operations: Sequence[Operation]) -> bool:
    """Whether all operations create rows in empty tables, and there are no tombstones to restore from."""
    return (
        not any(has_rows(connection, registry) for registry in _registries(operations))
        and not has_tombstones(connection)
        and all(o.action is Action.UPSERT and o.before is None for o in operations)
    )


def fill_tables(
    connection: apsw.Connection, replica: str, operations: Sequence[Operation], run: Run, summed: SummedRows
) -> None:
    """Write the rows with the change feed and the ledger. Raises ReplicaDiverged; the caller then rolls back.

    `summed` is the digest of all rows, which is updated.
    """
    last_seen = format_time(run.at)
    assert last_seen is not None, "the time of a run is within the calendar"
    # A trigger of another program may write a row before this does.
    statement = upsert_statement if _has_triggers(connection) else insert_statement
    drawn = _seed(connection)
    seed = drawn if summed.seed is None else summed.seed
    wanted: dict[str, RowSum] = {}
    with with_room(connection, _ROOM_KIB):
        for registry, batch in _batches(operations):
            table = TABLES[registry]
            rows = [encode_row(o.after, o.derived, last_seen) for o in batch if o.after is not None]
            created = feed.created_entries(batch)
            digests = list(map(digest_row, rows))
            wanted.setdefault(registry, RowSum(seed)).add_texts(
                [_encode_text((table.name, *row)) for row in rows]
            )
            connection.executemany(statement(table), rows)
            feed.write_created(connection, created, run)
            entries.write_written(connection, replica, batch, digests, run)
    found = {registry: sum_rows(connection, [select_text(TABLES[registry])], seed) for registry in wanted}
    if any(found[registry].text() != sum_.text() for registry, sum_ in wanted.items()):
        # Find the row at fault, or that SQLite only formats one differently.
        check_rows(connection, replica, _digests(operations, last_seen), [], (operations, run))
    summed.fill(connection, found)
    entries.write_run(connection, run, (len(operations), 0, 0))


def _seed(connection: apsw.Connection) -> int:
    """The seed of the cache that this pass will write, so that the digest of all rows need not be recomputed for it.

    Creates the secret here, so that a service's cache needs no separate transaction.
    """
    return seed_of(entries.read_secret(connection) or entries.write_secret(connection))


def _digests(operations: Iterable[Operation], last_seen: str) -> dict[Key, str]:
    rows = ((o.key, encode_row(o.after, o.derived, last_seen)) for o in operations if o.after is not None)
    return {key: digest_row(row) for key, row in rows}


def _registries(operations: Iterable[Operation]) -> Iterable[str]:
    return dict.fromkeys(map(_registry, operations))


def _batches(operations: Sequence[Operation]) -> Iterator[tuple[str, list[Operation]]]:
    for registry, group in groupby(operations, key=_registry):
        while batch := list(islice(group, _BATCH)):
            yield registry, batch


def _has_triggers(connection: apsw.Connection) -> bool:
    return bool(connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'trigger' LIMIT 1").fetchall())


def insert_statement(table: Table) -> str:
    """INSERT of all our columns, for a key that does not exist. Half as long: for each row apsw hashes the whole text."""
    names = table.sql_names
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def upsert_statement(table: Table) -> str:
    """INSERT, or UPDATE of all our columns if the key exists; never REPLACE, which deletes first."""
    keys = table.key_columns
    updates = ", ".join(f"{name} = excluded.{name}" for name in table.sql_names if name not in keys)
    return f"{insert_statement(table)} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {updates}"
