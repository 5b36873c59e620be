"""The signs of mocked rows."""

from engine.core.compare.foreign import foreign_reasons
from engine.core.compare.stored import StoredRow
from engine.core.records.record import Key


def row(id_: str, stamp: str) -> StoredRow:
    return StoredRow(Key("device", id_), {"id": id_}, timestamps={"last_seen": stamp})


def test_identical_timestamps_no_entities_and_an_unknown_id_are_named() -> None:
    rows = {r.key: r for r in (row("sun", "20:39:40"), row("moon", "20:39:40"), row("zone", "20:39:40"))}
    assert foreign_reasons(rows, frozenset(), frozenset())[Key("device", "sun")] == (
        "Home Assistant was never seen to have this id",
        "its last_seen 20:39:40 is identical to that of 2 other foreign rows",
        "no entity belongs to it",
    )


def test_a_row_that_once_was_real_is_not_called_invented() -> None:
    old = row("old", "10:00:00")
    assert foreign_reasons({old.key: old}, frozenset({old.key}), frozenset({"old"})) == {old.key: ()}
