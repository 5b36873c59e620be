"""Rows in memory are those that the rows file would have."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.core.home.derived import derive
from engine.core.records.record import Key, Record
from engine.core.records.registries import REGISTRIES
from engine.errors import SourceInvalid
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.queries.in_memory import rows_in_memory
from engine.replicas.rows.queries.read_transactions import RowsTransaction
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader
from engine.sources.files.capture import CaptureSource
from tests.api.serving import SAMPLE, write_home
from tests.homes import NOON, entity


def in_memory(records: Mapping[Key, Record], recorded_at: Mapping[Key, float]) -> RowsTransaction:
    return rows_in_memory(records, derive(records, None), recorded_at)


@pytest.mark.anyio
async def test_they_are_the_rows_of_the_file(tmp_path: Path) -> None:
    snapshot = await CaptureSource(SAMPLE, clock=lambda: NOON).read(lambda *_: None)
    await write_home(tmp_path / "rows.db", snapshot)
    home = snapshot.home

    def read(transaction: RowsTransaction) -> dict[str, list[tuple[object, ...]]]:
        names = {r: [n for n in TABLES[r].sql_names if n != "last_seen"] for r in REGISTRIES}
        return {r: transaction.page(r, names[r], [], "", 10_000) for r in REGISTRIES}

    rows_reader = SqliteRowsReader(tmp_path / "rows.db")
    try:
        now = await rows_reader.read(read)
    finally:
        await rows_reader.aclose()
    assert read(rows_in_memory(home.records, home.derived, dict.fromkeys(home.records, NOON))) == now


def test_a_row_was_last_changed_when_it_was_recorded() -> None:
    one = entity(1)
    rows = in_memory({one.key: one}, {one.key: NOON})
    assert rows.row("entity", ("last_seen",), one.entity_id) == (one.entity_id, "2026-11-23T12:00:00.000Z")


def test_of_two_entities_with_one_entity_id_the_last_is_there() -> None:
    old, new = entity(1), entity(2, entity_id=entity(1).entity_id)
    for records in ([old, new], [new, old]):
        at = {old.key: NOON, new.key: NOON + 1}
        rows = in_memory({r.key: r for r in records}, at)
        assert rows.page("entity", ("id",), [], "", 10) == [(old.entity_id, new.id)]


def test_what_no_row_holds_is_refused() -> None:
    one = entity(1)
    with pytest.raises(SourceInvalid, match="entity row cannot be held"):
        rows_in_memory({one.key: one}, {}, {one.key: NOON})  # without its domain, which is derived
