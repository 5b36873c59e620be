"""Finds the records that ever had an id or entity_id, in the change feed and the tombstones of the rows file.

It scans the feed once, which is bounded; only for names that no row has.
"""

# ruff: noqa: S608 (names in statements are our own; values are bound)

import apsw

from engine.core.records.record import Key
from engine.core.state.fate import Former
from engine.replicas.sqlite_file.tables import has_table

FORMER_MAX = 50


def _entity_id(column: str) -> str:
    # Another program may have written text that is not JSON; most JSON does not contain the name at all.
    return (
        f"(instr(lower({column}), lower(:name)) AND json_valid({column})"
        f" AND {column} ->> 'entity_id' = :name COLLATE NOCASE)"
    )


# A device that a newer core split has been stored under the id of one of its parts since.
_MOVED = (
    "(op = 'u' AND registry = 'device' AND instr(lower(before), lower(:name)) AND json_valid(before)"
    " AND before ->> 'id' = :name COLLATE NOCASE)"
)
_FEED = (
    "SELECT registry, id, max(seq), changed_at FROM reconcile_changes WHERE (:registry IS NULL OR registry = :registry)"
    f" AND (id = :name COLLATE NOCASE OR {_entity_id('before')} OR {_entity_id('after')} OR {_MOVED})"
    " GROUP BY registry, id ORDER BY 3 DESC LIMIT :limit"
)
_NEWEST = "SELECT op, changed_at, cause FROM reconcile_changes WHERE registry = ? AND id = ? ORDER BY seq DESC LIMIT 1"
_TOMBSTONES = (
    "SELECT registry, id, deleted_at, cause FROM reconcile_tombstones"
    " WHERE (:registry IS NULL OR registry = :registry)"
    f" AND (id = :name COLLATE NOCASE OR {_entity_id('payload')}) ORDER BY deleted_at DESC LIMIT :limit"
)


def find_former(connection: apsw.Connection, name: str, registry: str | None = None) -> list[Former]:
    """The records that were known as `name`, in any case, in one registry or all; at most FORMER_MAX of each kind."""
    found, asked = _find(connection, name, registry), {name}
    # A record with a new id may have been renamed since.
    while len(asked) < FORMER_MAX and (later := _device_ids(found) - asked):
        asked |= later
        for id_ in sorted(later):
            found += _find(connection, id_, "device")
    return found


def _device_ids(found: list[Former]) -> set[str]:
    return {former.key.id for former in found if former.key.registry == "device"}


def _find(connection: apsw.Connection, name: str, registry: str | None) -> list[Former]:
    asked = {"name": name, "registry": registry, "limit": FORMER_MAX}
    found = []
    if has_table(connection, "reconcile_changes"):
        # With the aggregate max, SQLite takes the other columns from the row with the maximum.
        for registry_, id_, _, borne_at in connection.execute(_FEED, asked).fetchall():
            [(op, at, cause)] = connection.execute(_NEWEST, (registry_, id_)).fetchall()
            key = Key(str(registry_), str(id_))
            ended_at = _time(at) if op == "d" else None
            found.append(Former(key, _time(at), ended_at, cause == "foreign", _time(borne_at)))
    if has_table(connection, "reconcile_tombstones"):
        for registry_, id_, at, cause in connection.execute(_TOMBSTONES, asked):
            key = Key(str(registry_), str(id_))
            found.append(Former(key, _time(at), _time(at), cause == "foreign", _time(at)))
    return found


def _time(value: object) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value <= 2e11 else 0.0
