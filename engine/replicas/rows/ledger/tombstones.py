"""Tombstones: copies of rows that the engine deleted, so that they can return with other programs' values.

The table belongs to the ledger. Everything here runs inside the caller's transaction.
"""

# ruff: noqa: S608 (names in statements are our own tables and columns; values are bound)

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import apsw
import msgspec

from engine.core.records.record import Json, Key
from engine.ports import Run
from engine.replicas.rows.ledger.entries import WANTED
from engine.replicas.rows.ledger.feed import encoded
from engine.replicas.sqlite_file.tables import has_table


class Tombstone(msgspec.Struct, frozen=True):
    """The copy of a deleted row: its fields, and the values of other programs' columns."""

    key: Key
    fields: dict[str, Json]
    others: dict[str, Json]
    cause: str
    at: float  # Unix seconds
    run_id: str


class DeletedRow(NamedTuple):
    """A row that is about to become a tombstone."""

    key: Key
    fields: msgspec.Raw
    others: dict[str, Json]
    cause: str


def write_tombstones(connection: apsw.Connection, burials: Iterable[DeletedRow], run: Run) -> None:
    """Store tombstones for the rows that the run deletes. A later deletion of the same key replaces an earlier one."""
    connection.executemany(
        "INSERT INTO reconcile_tombstones VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (registry, id) DO UPDATE SET"
        " payload = excluded.payload, others = excluded.others, cause = excluded.cause,"
        " deleted_at = excluded.deleted_at, run_id = excluded.run_id",
        (
            (*b.key, bytes(b.fields).decode(), bytes(encoded(b.others)).decode(), b.cause, run.at, run.run_id)
            for b in burials
        ),
    )


def has_tombstones(connection: apsw.Connection) -> bool:
    """Whether there are any tombstones."""
    return has_table(connection, "reconcile_tombstones") and bool(
        connection.execute("SELECT 1 FROM reconcile_tombstones LIMIT 1").fetchall()
    )


def read_tombstones(connection: apsw.Connection, keys: Sequence[Key]) -> list[Tombstone]:
    """The tombstones of those given keys that have one."""
    if not keys or not has_table(connection, "reconcile_tombstones"):
        return []
    rows = connection.execute(
        f"SELECT t.* FROM {WANTED} AS wanted JOIN reconcile_tombstones AS t USING (registry, id)",
        (msgspec.json.encode(keys).decode(),),
    )
    return [
        Tombstone(Key(registry, id_), msgspec.json.decode(payload), msgspec.json.decode(others), *rest)
        for registry, id_, payload, others, *rest in rows
    ]


def drop_tombstones(connection: apsw.Connection, keys: Iterable[Key]) -> None:
    """Forget the tombstones of keys that returned."""
    connection.executemany("DELETE FROM reconcile_tombstones WHERE registry = ? AND id = ?", keys)
