"""Frees entity_ids for their new owners before any row is written: swaps, chains, take-overs and adopted rows.

The table's primary key is entity_id, as in HomeIQ's; a record's identity is the registry's id. So a rename can
conflict with a row that still has the new name, and that row may be another program's.
"""

from collections.abc import Container, Mapping

import apsw
import msgspec

from engine.core.records.record import Key
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.reader import FoundRow, find_rows_where


class Clearing(msgspec.Struct, frozen=True):
    """The conflicting rows, by what happens to them; the first two by their new owner's registry id."""

    adopted: dict[str, FoundRow]  # other programs' rows without a registry id: they become the owner's row
    taken_over: dict[str, FoundRow]  # rows with another id, for owners without a row
    removed: list[FoundRow]  # rows that conflict with an owner's own row
    parked: list[FoundRow]  # rows that will be renamed themselves

    @property
    def displaced(self) -> list[FoundRow]:
        """The rows whose own keys no longer have a row."""
        return [*self.taken_over.values(), *self.removed]


def find_conflicts(
    connection: apsw.Connection, owners: Mapping[str, str], with_row: Container[Key]
) -> Clearing:
    """The rows that have an entity_id of `owners` (entity_id -> registry id) and do not belong to its owner.

    `with_row` are the keys that have their own row; the same plan writes all owners.
    """
    clearing = Clearing({}, {}, [], [])
    if not owners:
        return clearing
    ids = set(owners.values())
    names = msgspec.json.encode(sorted(owners)).decode()
    indexes = TABLES["entity"].indexes
    for row in find_rows_where(connection, "entity", "entity_id IN (SELECT value FROM json_each(?))", names):
        entity_id, id_ = row.values[indexes["entity_id"]], row.values[indexes["id"]]
        owner = owners[str(entity_id)]
        if id_ == owner:
            continue
        if id_ in ids:
            clearing.parked.append(row)
        elif Key("entity", owner) in with_row:
            clearing.removed.append(row)
        elif id_ is None:
            clearing.adopted[owner] = row
        else:
            clearing.taken_over[owner] = row
    return clearing


def make_room(connection: apsw.Connection, clearing: Clearing) -> None:
    """Remove, park and hand over the rows, so that every owner can be written under its entity_id."""
    connection.executemany("DELETE FROM entities WHERE rowid = ?", [(row.rowid,) for row in clearing.removed])
    # An entity_id never contains a blank, so a parked row does not conflict with any other row.
    connection.executemany(
        "UPDATE entities SET entity_id = ? WHERE rowid = ?",
        [(f"parked {row.rowid}", row.rowid) for row in clearing.parked],
    )
    handed_over = [*clearing.adopted.items(), *clearing.taken_over.items()]
    connection.executemany(
        "UPDATE entities SET id = ? WHERE rowid = ?", [(owner, row.rowid) for owner, row in handed_over]
    )
