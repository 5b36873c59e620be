"""Typed input is completed by the names in the rows file, by any writer; nothing is left beside it."""

from pathlib import Path

import apsw
import pytest

from engine.errors import ReplicaError
from engine.replicas.rows.queries.typed_names import find_typed_names
from engine.replicas.rows.replica import open_rows
from tests.homes import ENTRY, device, entity, snapshot
from tests.replicas.passes import one_pass

LAMP = entity(1, entity_id="light.lamp", name="Lamp")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(ENTRY, device(1, name="Lamp of the hall"), LAMP))
    rows.close()
    return tmp_path / "rows.db"


def test_ids_are_completed_with_the_name_of_their_record(path: Path) -> None:
    assert find_typed_names(path, "light.") == {"light.lamp": "Lamp"}
    assert find_typed_names(path, LAMP.id) == {LAMP.id: "Lamp"}
    assert find_typed_names(path, "Lamp") == {"Lamp": "", "Lamp of the hall": ""}
    assert find_typed_names(path, "lamp") == {}


def test_before_anything_is_typed_only_entity_ids_are_offered(path: Path) -> None:
    assert find_typed_names(path, "") == {"light.lamp": "Lamp"}


def test_a_key_is_completed_behind_its_registry(path: Path) -> None:
    assert find_typed_names(path, "device/") == {f"device/{device(1).id}": "Lamp of the hall"}
    assert find_typed_names(path, f"entity/{LAMP.id[:-1]}") == {f"entity/{LAMP.id}": "Lamp"}
    assert find_typed_names(path, "nothing/") == {}


def test_only_text_of_another_programs_file_is_offered(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = apsw.Connection(str(path))
    connection.execute(
        "CREATE TABLE areas (area_id, name); CREATE TABLE floors (name); CREATE TABLE labels (label_id)"
    )
    connection.execute(
        "INSERT INTO areas VALUES ('a', 'Attic'), (NULL, 'Attic 2'), (7, 'Attic 3'), ('b', x'41')"
    )
    connection.execute(
        "INSERT INTO areas VALUES ('c', CAST(x'41ff' AS TEXT)); INSERT INTO labels VALUES ('A')"
    )
    connection.close()
    assert find_typed_names(path, "A") == {"Attic": "", "A\ufffd": "", "A": ""}


def test_nothing_is_made_and_nothing_is_waited_for(path: Path, tmp_path: Path) -> None:
    assert find_typed_names(tmp_path / "gone.db", "l") == {}
    writer = apsw.Connection(str(path))
    writer.execute("PRAGMA journal_mode = delete; BEGIN EXCLUSIVE").fetchall()
    with pytest.raises(ReplicaError):
        find_typed_names(path, "l")
    writer.close()
    assert [p.name for p in tmp_path.iterdir()] == ["rows.db"]
    (tmp_path / "text.db").write_text("no database" * 100)
    with pytest.raises(ReplicaError):
        find_typed_names(tmp_path / "text.db", "l")
