"""Making room for entity_ids: swaps, chains, take-overs and adopted rows, before any row is written.

The table's primary key is entity_id, as in HomeIQ's; a record's identity is the registry's id. So a rename can
meet a row that still has the new name, and the row that must give way may be another program's.
"""

from collections.abc import Container, Mapping

import apsw
import msgspec

from engine.core.records.record import Key
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.reader import FoundRow, find_rows_where


class Clearing(msgspec.Struct, frozen=True):
    """Rows in the way, by what is to become of them; the first two by their new owner's registry id."""

    adopted: dict[str, FoundRow]  # rows of other programs, without a registry id: they become the owner's row
    taken_over: dict[str, FoundRow]  # rows of another id: the owner, who has no row yet, gets theirs
    removed: list[FoundRow]  # rows in the way of an owner who has a row
    parked: list[FoundRow]  # rows that are about to be renamed themselves

    @property
    def displaced(self) -> list[FoundRow]:
        """Rows whose own key loses its row."""
        return [*self.taken_over.values(), *self.removed]


def find_conflicts(
    connection: apsw.Connection, owners: Mapping[str, str], with_row: Container[Key]
) -> Clearing:
    """The rows that have an entity_id of `owners` (entity_id -> registry id) and are not its owner's.

    `with_row` holds the keys that have a row of their own; all owners are written in the same plan.
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
    # A blank never occurs in an entity_id, so a parked row is in no other row's way.
    connection.executemany(
        "UPDATE entities SET entity_id = ? WHERE rowid = ?",
        [(f"parked {row.rowid}", row.rowid) for row in clearing.parked],
    )
    handed_over = [*clearing.adopted.items(), *clearing.taken_over.items()]
    connection.executemany(
        "UPDATE entities SET id = ? WHERE rowid = ?", [(owner, row.rowid) for owner, row in handed_over]
    )
