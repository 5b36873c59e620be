"""Writes a plan's operations to the rows file, inside one write transaction, with all ledger entries.

Rows are updated in place, and only in the columns that differ: other programs' values in their own columns
stay, and SQLite need not update an index for an unchanged value. A deleted row's values of other programs are kept
in the tombstone and restored if the row returns. Written rows are read back before anything is recorded.
"""

# ruff: noqa: S608 (names in statements are our own tables and columns, or quoted; values are bound)

from collections.abc import Iterable, Mapping, Sequence

import apsw

from engine.core.compare.diff import Cause
from engine.core.compare.plan import Action, Operation, changes
from engine.core.records.record import Entity, Json, Key
from engine.ports import Run
from engine.replicas.rows.codec import digest_row, encode_row, format_time
from engine.replicas.rows.columns import TABLES, Table, Value
from engine.replicas.rows.ledger import entries, feed
from engine.replicas.rows.ledger.tombstones import (
    DeletedRow,
    drop_tombstones,
    read_tombstones,
    write_tombstones,
)
from engine.replicas.rows.reader import FoundRow, find_rows
from engine.replicas.rows.summed_rows import SummedRows
from engine.replicas.rows.writing.entity_ids import find_conflicts, make_room
from engine.replicas.rows.writing.filling import can_fill, fill_tables, upsert_statement
from engine.replicas.rows.writing.other_columns import read_others, write_others
from engine.replicas.rows.writing.read_back import check_rows


def find_touched(connection: apsw.Connection, operations: Sequence[Operation]) -> dict[Key, FoundRow]:
    """The current rows that the operations would change."""
    return find_rows(connection, _touched_keys(operations))


def write_operations(  # noqa: PLR0913 (what the transaction rests on, by keyword)
    connection: apsw.Connection,
    replica: str,
    operations: Sequence[Operation],
    run: Run,
    *,
    is_as_planned: bool,
    touched: dict[Key, FoundRow] | None = None,
    summed: SummedRows | None = None,
) -> None:
    """Write the deletes, then moves and upserts, then the ledger. Raises ReplicaDiverged; the caller then rolls back.

    `is_as_planned`: no other program wrote since the operations' rows were read; `touched` is the result of
    `find_touched`, if the caller has it. `summed` is the digest of all rows, which is updated.
    """
    summed = SummedRows() if summed is None else summed
    if can_fill(connection, operations):
        fill_tables(connection, replica, operations, run, summed)
        return
    before = find_touched(connection, operations) if touched is None else touched
    summed.leave(connection, before.values())
    deletes = [o for o in operations if o.action is Action.DELETE]
    writes = [o for o in operations if o.action is not Action.DELETE]
    changes = _delete_rows(connection, deletes, before, run)
    _rekey_devices(connection, writes)
    clearing = find_conflicts(connection, _new_holders(writes, before), before)
    summed.leave(connection, [*clearing.displaced, *clearing.adopted.values()])
    changes += _record_displaced(connection, replica, clearing.displaced, run)
    make_room(connection, clearing)
    before |= {Key("entity", owner): row for owner, row in clearing.adopted.items()}
    written: dict[Key, str] = {}
    for registry, group in _by_registry(writes).items():
        written |= _write_rows(connection, TABLES[registry], group, before, run)
    _restore_others(connection, _created(writes, before, clearing.taken_over))
    found = check_rows(connection, replica, written, [o.key for o in deletes], (writes, run))
    summed.come(connection, found.values())
    changes += [_entry(o, before.get(o.moved_from or o.key), is_as_planned=is_as_planned) for o in writes]
    feed.write_changes(connection, changes, run)
    gone = [*(o.key for o in deletes), *(o.moved_from for o in writes if o.moved_from)]
    entries.forget_applied(connection, replica, [*gone, *(row.key for row in clearing.displaced)])
    entries.write_written(connection, replica, writes, [written[o.key] for o in writes], run)
    moves = sum(o.action is Action.MOVE for o in writes)
    entries.write_run(connection, run, (len(writes) - moves, moves, len(deletes)))


def _created(
    writes: Iterable[Operation], before: Mapping[Key, FoundRow], taken_over: Mapping[str, FoundRow]
) -> list[Key]:
    """The keys that had no row and did not get another key's row."""
    keys = ((o.difference.key, o.moved_from) for o in writes)
    return [key for key, old in keys if (old or key) not in before and key.id not in taken_over]


def _by_registry(operations: Iterable[Operation]) -> dict[str, list[Operation]]:
    groups: dict[str, list[Operation]] = {}
    for operation in operations:
        groups.setdefault(operation.difference.key.registry, []).append(operation)
    return groups


def _touched_keys(operations: Iterable[Operation]) -> set[Key]:
    keys = set()
    for operation in operations:
        keys.add(operation.difference.key)
        if operation.moved_from:
            keys.add(operation.moved_from)
    return keys


def _new_holders(writes: Iterable[Operation], before: Mapping[Key, FoundRow]) -> dict[str, str]:
    """The ids of entities by their new entity_id, if their row does not have it yet."""
    index = TABLES["entity"].indexes["entity_id"]
    holders = {}
    for operation in writes:
        entity = operation.after
        row = before.get(operation.difference.key) if isinstance(entity, Entity) else None
        if isinstance(entity, Entity) and (row is None or row.values[index] != entity.entity_id):
            holders[entity.entity_id] = entity.id
    return holders


def _delete_rows(
    connection: apsw.Connection, deletes: Sequence[Operation], before: Mapping[Key, FoundRow], run: Run
) -> list[feed.Entry]:
    changes = []
    for registry, group in _by_registry(deletes).items():
        causes = {o.key: str(o.difference.cause) for o in group}
        rows = [before[key] for key in causes if key in before]
        _write_tombstones(connection, [(row, causes[row.key]) for row in rows], run)
        connection.executemany(
            f"DELETE FROM {TABLES[registry].name} WHERE rowid = ?", [(r.rowid,) for r in rows]
        )
        changes += [feed.Entry("d", row.key, causes[row.key], row.kept[1], None) for row in rows]
    return changes


def _write_tombstones(connection: apsw.Connection, rows: Sequence[tuple[FoundRow, str]], run: Run) -> None:
    """Store tombstones for rows that are about to be deleted, so that they can be restored."""
    others: dict[Key, dict[str, Json]] = {}
    for registry in {row.key.registry for row, _ in rows}:
        others |= read_others(connection, registry, [row for row, _ in rows if row.key.registry == registry])
    write_tombstones(
        connection,
        (DeletedRow(row.key, row.kept[0], others.get(row.key, {}), cause) for row, cause in rows),
        run,
    )


def _rekey_devices(connection: apsw.Connection, writes: Sequence[Operation]) -> None:
    """Give the row of a composite device, which 2026.8 split, the id of the part that inherits it."""
    pairs = [(o.key.id, o.moved_from.id) for o in writes if o.moved_from]
    assert all(o.key.registry == "device" for o in writes if o.moved_from), "only devices change their id"
    connection.executemany("UPDATE devices SET device_id = ? WHERE device_id = ?", pairs)


def _record_displaced(
    connection: apsw.Connection, replica: str, displaced: Sequence[FoundRow], run: Run
) -> list[feed.Entry]:
    """Store tombstones for rows that make way for the entity that now has their entity_id."""
    applied = entries.read_digests(connection, replica, "entity") if displaced else {}
    causes = {row.key: str(Cause.CONFLICT if row.key.id in applied else Cause.FOREIGN) for row in displaced}
    _write_tombstones(connection, [(row, causes[row.key]) for row in displaced], run)
    return [feed.Entry("d", row.key, causes[row.key], row.kept[1], None) for row in displaced]


def _write_rows(
    connection: apsw.Connection,
    table: Table,
    writes: Sequence[Operation],
    before: Mapping[Key, FoundRow],
    run: Run,
) -> dict[Key, str]:
    """Write the differing values; returns the digest that each row must have."""
    last_seen = format_time(run.at)
    assert last_seen is not None, "the time of a run is within the calendar"
    digests: dict[Key, str] = {}
    added: list[tuple[Value, ...]] = []
    changed: dict[tuple[str, ...], list[tuple[Value, ...]]] = {}
    for operation in writes:
        assert operation.after is not None, "an upsert has a record to write"
        values = encode_row(operation.after, operation.derived, last_seen)
        key = operation.difference.key
        digests[key] = digest_row(values)
        row = before.get(operation.moved_from or key)
        if row is None:
            added.append(values)
        else:
            names, new = _differing(table, row.values, values)
            if names:
                changed.setdefault(names, []).append((*new, row.rowid))
    connection.executemany(upsert_statement(table), added)
    for names, rows in changed.items():
        settings = ", ".join(f"{name} = ?" for name in names)
        connection.executemany(f"UPDATE {table.name} SET {settings} WHERE rowid = ?", rows)
    return digests


def _differing(
    table: Table, old: Sequence[Value], new: Sequence[Value]
) -> tuple[tuple[str, ...], tuple[Value, ...]]:
    """The columns whose values differ, and their new values."""
    # Python considers numbers of different types equal, but their digests differ.
    differing = [
        i
        for i, (a, b) in enumerate(zip(old, new, strict=True))
        if a is not b and (a != b or type(a) is not type(b))
    ]
    return tuple(table.sql_names[i] for i in differing), tuple(new[i] for i in differing)


def _restore_others(connection: apsw.Connection, keys: Sequence[Key]) -> None:
    """Restore other programs' values in rows that return, and drop their tombstones."""
    tombstones = read_tombstones(connection, keys)
    if not tombstones:
        return
    found = find_rows(connection, [t.key for t in tombstones])
    for tombstone in tombstones:
        write_others(connection, found[tombstone.key], tombstone.others)
    drop_tombstones(connection, [t.key for t in tombstones])


def _entry(operation: Operation, before: FoundRow | None, *, is_as_planned: bool) -> feed.Entry:
    after, cause = operation.after, str(operation.difference.cause)
    assert after is not None, "an upsert has a record to write"
    if before is None:
        return feed.Entry("c", operation.key, cause, None, feed.encoded_row(after, operation.derived))
    differing = operation.fields if is_as_planned else changes(before.stored, after, operation.derived)
    old, new = ({c.name: getattr(c, side) for c in differing} for side in ("replica", "source"))
    return feed.Entry("u", operation.key, cause, old, new)
