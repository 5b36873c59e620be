"""What the rows file remembers of differences found first: whole, or not at all."""

from pathlib import Path

import pytest

from engine.core.compare.diff import Kind
from engine.core.guards.look import FirstSeen, Look
from engine.core.state.report import FoundKey
from engine.replicas.rows.replica import open_rows
from tests.replicas.passes import sql

FOUND: dict[FoundKey, FirstSeen] = {
    ("history", "device", "a", Kind.ORPHANED): FirstSeen("hash", Look(1.5, "boot", 2.5)),
    ("history", "entity", "b", Kind.STALE): FirstSeen(None, Look(3.0)),
}


def test_noting_found_times_replaces_the_replicas_earlier_ones(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    assert rows.found("history") == {}, "of a file that is not there"
    rows.note_found("history", FOUND)
    rows.note_found("sqlite", {("sqlite", "area", "c", Kind.ORPHANED): FirstSeen("other", Look(4.0))})
    assert rows.found("history") == FOUND
    rows.note_found("history", dict(list(FOUND.items())[:1]))
    assert rows.found("history") == dict(list(FOUND.items())[:1])
    assert len(rows.found("sqlite")) == 1
    rows.close()


@pytest.mark.parametrize(
    "damage",
    [
        "id = x'00'",
        "registry = x'00'",
        "kind = 'no kind'",
        "kind = x'00'",
        "version = x'00'",
        "found_at = 'noon'",
        "boot = x'00'",
        "uptime = 'long'",
    ],
)
def test_found_times_damaged_by_another_program_are_skipped(damage: str, tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    rows.note_found("history", FOUND)
    sql(tmp_path / "rows.db", f"UPDATE reconcile_found SET {damage} WHERE id = 'a'")
    assert list(rows.found("history")) == [("history", "entity", "b", Kind.STALE)]
    rows.close()


def test_a_file_of_an_earlier_version_gets_the_table_with_the_first_write(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    rows.note_found("history", FOUND)
    rows.close()
    sql(tmp_path / "rows.db", "DROP TABLE reconcile_found")
    assert rows.found("history") == {}
    rows.note_found("history", FOUND)
    assert rows.found("history") == FOUND
    rows.close()
