"""What is kept of a deleted row: as it last stood, until it returns."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.replicas.rows.replica import SqliteRows, open_rows
from tests.homes import ENTRY, NOON, device, snapshot
from tests.replicas.passes import one_pass

GONE = snapshot(ENTRY)


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[SqliteRows]:
    made = open_rows(tmp_path / "rows.db", busy_timeout_seconds=0)
    yield made
    made.close()


def test_a_later_deletion_replaces_an_earlier_one(rows: SqliteRows) -> None:
    for number, name in enumerate(("First", "Second")):
        one_pass(rows, rows, snapshot(ENTRY, device(1, name=name)), at=NOON + 10 * number)
        one_pass(rows, rows, GONE, at=NOON + 10 * number + 5, run_id=f"run {number}")
    tombstone = rows.tombstone(device(1).key)
    assert tombstone is not None
    assert (tombstone.fields["name"], tombstone.at, tombstone.run_id) == ("Second", NOON + 15, "run 1")
    assert (tombstone.others, tombstone.cause) == ({}, "pending")


def test_a_row_that_returned_has_none(rows: SqliteRows) -> None:
    one_pass(rows, rows, snapshot(ENTRY, device(1)))
    one_pass(rows, rows, GONE, at=NOON + 1)
    one_pass(rows, rows, snapshot(ENTRY, device(1)), at=NOON + 2)
    assert rows.tombstone(device(1).key) is None


def test_a_file_that_was_never_written_has_none(rows: SqliteRows) -> None:
    assert rows.tombstone(device(1).key) is None
