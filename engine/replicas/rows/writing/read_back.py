"""Reads written rows back before anything is recorded: other programs' triggers and column types may alter them."""

from collections.abc import Mapping, Sequence

import apsw

from engine.core.compare.plan import Operation
from engine.core.records.record import Key
from engine.errors import ReplicaDiverged
from engine.ports import Run
from engine.replicas.rows.codec import digest_row, encode_row, format_time
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.reader import FoundRow, find_rows


def check_rows(
    connection: apsw.Connection,
    replica: str,
    written: Mapping[Key, str],
    deleted: Sequence[Key],
    done: tuple[Sequence[Operation], Run],
) -> dict[Key, FoundRow]:
    """The rows as they read back. Raises ReplicaDiverged."""
    found = find_rows(connection, [*written, *deleted])
    wrong = sorted(
        {
            key
            for key, digest in written.items()
            if key not in found or digest_row(found[key].values) != digest
        }
        | {key for key in deleted if key in found and key not in written}
    )
    if wrong:
        write = next((operation for operation in done[0] if operation.key == wrong[0]), None)
        summary = f"{len(wrong)} of {len(written) + len(deleted)} rows read back otherwise than written"
        raise ReplicaDiverged(
            replica,
            f"{summary}, first {wrong[0]}{_difference(found.get(wrong[0]), write, done[1])}.",
            "Nothing was changed. A trigger, or a column type that another program gave, alters what is written: "
            "drop the trigger, or give the column its type back.",
        )
    return found


def _difference(row: FoundRow | None, operation: Operation | None, run: Run) -> str:
    """The column of a row that reads back differently from what was written; never its value."""
    if row is None or operation is None or operation.after is None:
        return ", which is not there" if row is None else ", which is still there"
    after = operation.after
    table = TABLES[row.key.registry]
    values = encode_row(after, operation.derived, format_time(run.at) or "")
    for column, old, new in zip(table.columns, row.values, values, strict=True):
        if type(old) is not type(new) or old != new:
            other = _KINDS[type(old)] if type(old) is not type(new) else f"another {_KINDS[type(old)]}"
            return f": {table.name}.{column.sql} ({column.type}) gives back {other} for {_KINDS[type(new)]}"
    return ""


_KINDS = {str: "text", int: "integer", float: "float", bytes: "blob", type(None): "null"}
