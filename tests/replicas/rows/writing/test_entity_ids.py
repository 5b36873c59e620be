"""Room for entity_ids: who is in the way, and what becomes of them."""

import apsw
import pytest

from engine.core.records.record import Key
from engine.replicas.rows.schema import ensure_schema
from engine.replicas.rows.writing.entity_ids import find_conflicts, make_room


@pytest.fixture
def table() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    ensure_schema(connection, "sqlite")
    rows = [("light.a", "A"), ("light.b", "B"), ("light.x", None), ("light.y", "Y"), ("light.z", None)]
    connection.executemany("INSERT INTO entities (entity_id, id, domain) VALUES (?, ?, 'light')", rows)
    return connection


def test_everyone_in_the_way_is_found_and_gives_way(table: apsw.Connection) -> None:
    owners = {
        "light.b": "A",
        "light.a": "B",
        "light.x": "C",
        "light.y": "D",
        "light.z": "E",
        "light.free": "F",
    }
    clearing = find_conflicts(table, owners, {Key("entity", id_) for id_ in "ABE"})
    assert [row.key.id for row in clearing.parked] == ["A", "B"]
    assert {owner: row.key.id for owner, row in clearing.adopted.items()} == {"C": "light.x"}
    assert {owner: row.key.id for owner, row in clearing.taken_over.items()} == {"D": "Y"}
    assert [row.key.id for row in clearing.removed] == ["light.z"]
    assert [row.key.id for row in clearing.displaced] == ["Y", "light.z"]
    make_room(table, clearing)
    left = table.execute("SELECT entity_id, id FROM entities ORDER BY id").fetchall()
    assert left == [("parked 1", "A"), ("parked 2", "B"), ("light.x", "C"), ("light.y", "D")]


def test_nothing_blocks_an_unchanged_name(table: apsw.Connection) -> None:
    clearing = find_conflicts(table, {"light.a": "A"}, {Key("entity", "A")})
    assert (clearing.parked, clearing.displaced, clearing.adopted) == ([], [], {})
