"""Whatever is wrong, from the command line: one message that names what to change, the documented exit code,
and every store as it was.
"""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from engine.replicas.rows import replica
from engine.replicas.rows.schema import SCHEMA_VERSION
from tests.commandline.homes import DATA, Home
from tests.commandline.in_process import Reconcile
from tests.examples import first_quick

STORES = ("--rows", "rows.db", "--records", "history:history.db")


def stored(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix == ".db"}


def overwrite(name: str, content: bytes) -> Callable[[Home], object]:
    return lambda home: (home.folder / name).write_bytes(content)


def without_id(home: Home) -> None:
    home.edit("device_registry_list", lambda rows: rows[3].pop("id"))


def twice(home: Home) -> None:
    home.edit("area_registry_list", lambda rows: rows.append(dict(rows[0])))


def cut_off(home: Home) -> None:
    path = home.folder / "entity_registry_list.json"
    path.write_bytes(path.read_bytes()[:-100])


def broken_text(home: Home) -> None:
    path = home.folder / "label_registry_list.json"
    path.write_bytes(path.read_bytes().replace(b"Solar", b"Sol\xffr"))


@pytest.mark.parametrize(
    ("spoil", "names"),
    first_quick(
        [
            (cut_off, ["entity_registry_list.json"]),
            (broken_text, ["label_registry_list.json"]),
            (overwrite("device_registry_list.json", b'"<html>"'), ["device list"]),
            (overwrite("device_registry_list.json", b""), ["device_registry_list.json"]),
            (
                lambda home: (home.folder / "device_registry_list.json").unlink(),
                ["device_registry_list.json"],
            ),
        ]
    ),
)
def test_a_home_that_cannot_be_read_changes_nothing(
    mirror: Reconcile, home: Home, tmp_path: Path, spoil: Callable[[Home], object], names: list[str]
) -> None:
    mirror()
    before = stored(tmp_path)
    spoil(home)
    answer = mirror()
    assert answer.code == 1
    assert answer.err.startswith("Error: ")
    for name in names:
        assert name in answer.err
    assert stored(tmp_path) == before
    report = json.loads(mirror("--json").out)
    assert report["status"] == "unknown"
    assert report["errors"][0]["subject"] == "source"


def spoil_entry(rows: Any) -> None:
    list(rows.values())[3].update(unique_id=["a"])


def no_text(home: Home) -> None:
    home.edit("entity_registry_list", lambda rows: rows[3].update(unique_id=["a"]))
    home.edit("entity_registry_get_entries", spoil_entry)


@pytest.mark.parametrize(
    ("spoil", "names"),
    first_quick(
        [
            (without_id, ["device, row 4", "it has no id"]),
            (twice, ["area, ", "its area_id is listed more than once"]),
            (no_text, ["entity, row 4", "its unique_id is a list"]),
        ]
    ),
)
def test_an_unusable_row_is_named_and_its_stored_record_stays(
    mirror: Reconcile, home: Home, tmp_path: Path, spoil: Callable[[Home], object], names: list[str]
) -> None:
    mirror()
    before = stored(tmp_path)
    spoil(home)
    for command in ((), ("drift",), ("doctor",)):
        answer = mirror(*command)
        assert answer.code == 0
        for name in names:
            assert name in answer.out
    assert stored(tmp_path) == before
    report = json.loads(mirror("--json").out)
    assert report["status"] == "in_sync"
    assert len(report["set_aside"]) == (2 if spoil is twice else 1)
    assert {held["counts"]["kept"] for held in report["replicas"]} == {1}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("ws://127.0.0.1:9", ["127.0.0.1:9"]),
        ("storage:nowhere", ["nowhere"]),
        ("backup:nowhere.tar", ["nowhere.tar"]),
        ("capture:nowhere", ["nowhere"]),
        ("ws://user:hunter2@host", ["source.uri"]),
        ("mqtt://host", ["source.uri", "ws://HOST:8123"]),
    ],
)
def test_a_source_that_is_not_there_is_named(
    reconcile: Reconcile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, names: list[str]
) -> None:
    monkeypatch.setenv("RECONCILE_SOURCE__TOKEN", "a-token")
    answer = reconcile("--source", source, *STORES)
    assert answer.code == 1
    for name in names:
        assert name in answer.err
    assert "hunter2" not in answer.err
    assert "Traceback" not in answer.err
    assert list(tmp_path.iterdir()) == []


def hold_locked(path: Path) -> Callable[[], None]:
    other = apsw.Connection(str(path))
    other.execute("BEGIN EXCLUSIVE")
    return other.close


def make_newer(path: Path) -> Callable[[], None]:
    other = apsw.Connection(str(path))
    other.execute("UPDATE reconcile_meta SET value = ? WHERE name = 'schema_version'", (SCHEMA_VERSION + 1,))
    assert other.changes() == 1
    other.close()
    return lambda: None


def fill(content: bytes) -> Callable[[Path], Callable[[], None]]:
    def corrupt(path: Path) -> Callable[[], None]:
        path.write_bytes(content)
        return lambda: None

    return corrupt


def tear(path: Path) -> Callable[[], None]:
    content = bytearray(path.read_bytes())
    content[4096:8192] = os.urandom(4096)
    path.write_bytes(content)
    return lambda: None


@pytest.mark.parametrize(
    ("spoil", "hint"),
    first_quick(
        [
            (hold_locked, "locked"),
            (make_newer, "pdate"),
            (fill(b"this is no database, but a letter" * 200), "not a SQLite database"),
            (tear, "damaged"),
        ],
        2,
    ),
)
def test_an_unusable_rows_file_stays_unchanged_and_the_history_is_served(
    mirror: Reconcile,
    home: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], Callable[[], None]],
    hint: str,
) -> None:
    monkeypatch.setattr(replica, "open_rows", partial(replica.open_rows, busy_timeout_seconds=0.05))
    mirror()
    release = spoil(tmp_path / "rows.db")
    before = (tmp_path / "rows.db").read_bytes()
    renamed = home.rename_device("Renamed")
    answer = mirror("--json")
    release()
    report = json.loads(answer.out)
    assert answer.code == 1
    assert report["partial"] is True
    assert report["status"] in ("unknown", "out_of_sync")
    (error,) = report["errors"]
    assert error["subject"] == "sqlite"
    assert "rows.db" in error["message"]
    assert hint in f"{error['message']} {error['hint']}"
    assert (tmp_path / "rows.db").read_bytes() == before
    assert [r["key"] for r in report["records"] if r["outcome"] == "applied"] == [renamed]


def test_a_damaged_rows_file_moved_away_is_built_again(mirror: Reconcile, tmp_path: Path) -> None:
    mirror()
    (tmp_path / "rows.db").write_bytes(b"garbage" * 999)
    assert mirror().code == 1
    (tmp_path / "rows.db").rename(tmp_path / "rows.damaged")
    assert mirror().code == 0
    assert "Nothing to do" in mirror().out


def test_homeiqs_mock_devices_are_pruned_and_its_other_tables_survive(
    mirror: Reconcile, tmp_path: Path
) -> None:
    database = apsw.Connection(str(tmp_path / "rows.db"))
    schema = DATA.parent / "homeiq"
    for statement in (schema / "schema.sql").read_text().split(";\n"):
        database.execute(statement)
    mocks = json.loads((schema / "devices.json").read_bytes())
    for mock in mocks:
        columns = ", ".join(mock)
        database.execute(
            f"INSERT INTO devices ({columns}) VALUES ({', '.join('?' * len(mock))})", list(mock.values())
        )
    database.close()

    answer = mirror("--json")
    assert answer.code == 0
    foreign = [r for r in json.loads(answer.out)["records"] if r["cause"] == "foreign"]
    assert sorted(r["name"] for r in foreign) == ["Moon", "Person", "Sun", "Weather", "Zone"]
    for record in foreign:
        assert record["action"] is None
        assert "Home Assistant was never seen to have this id" in record["why"]
        assert any("identical to that of 4 other foreign rows" in reason for reason in record["why"])
        assert "no entity belongs to it" in record["why"]

    answer = mirror("--prune-foreign", "--json")
    assert (answer.code, json.loads(answer.out)["status"]) == (0, "in_sync")
    database = apsw.Connection(str(tmp_path / "rows.db"))
    assert database.execute("SELECT count(*) FROM devices").fetchall() == [(72,)]
    assert database.execute("SELECT * FROM alembic_version").fetchall() == [("003",)]
    names = [row[1] for row in database.execute("PRAGMA table_info(devices)")]
    assert "health_score" in names
    database.close()
