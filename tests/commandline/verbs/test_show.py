"""`reconcile show KEY`."""

import json
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from engine.commandline.verbs.show import LastChange, StoredRecord, render_record
from engine.core.records.record import Key
from engine.core.times import Instant
from tests.api.registries.test_fate import DELETED, LOST, fill
from tests.commandline.homes import Home
from tests.commandline.in_process import Reconcile
from tests.homes import NOON, device, entity


def test_a_record_is_shown_with_version_last_applied_and_derived_values(mirror: Reconcile) -> None:
    mirror()
    code, out, err = mirror("show", "light.kitchen_lights")
    assert (code, err) == (0, "")
    assert out.startswith("entity/")
    shown = json.loads(mirror("show", "light.kitchen_lights", "--json").out)
    assert shown["schema_version"] == 1
    assert shown["fields"]["entity_id"] == "light.kitchen_lights"
    assert shown["derived"]["domain"] == "light"
    assert shown["last_applied"]["sqlite"] == shown["version"]
    assert shown["last_applied"]["history"] == shown["version"].partition("+")[0]
    assert shown["last_change"]["op"] == "c"
    assert f"  version {shown['version']}\n" in out


def test_an_unknown_record_ends_with_1_and_suggestions(mirror: Reconcile) -> None:
    mirror()
    code, out, err = mirror("show", "light.kitchen_light")
    assert (code, out) == (1, "")
    assert err.startswith('Error: No stored record is called "light.kitchen_light".\nDid you mean entity/')
    assert "(light.kitchen_lights)" in err


def test_before_the_first_pass_there_is_nothing_to_show(reconcile: Reconcile) -> None:
    code, out, err = reconcile("show", "x")
    assert (code, out) == (1, "")
    assert err.startswith("Error: The rows file reconcile.db does not exist.\n")


def test_a_changed_row_is_shown_as_different_from_the_applied_one(mirror: Reconcile, home: Home) -> None:
    mirror()
    device = home.rename_device("Renamed")
    mirror()
    shown = json.loads(mirror("show", device, "--json").out)
    assert (shown["name"], shown["last_change"]["op"]) == ("Renamed", "u")


def test_the_text_is_complete_and_harmless() -> None:
    record = StoredRecord(
        1,
        "device",
        "d1",
        "Lamp\x1b[2J",
        "1:a+b",
        {"sqlite": "1:a+b", "history": None, "influxdb": ""},
        {"name": "Lamp\x1b[2J", "labels": ["x"]},
        {"entity_count": 2},
        {"created_at": "2026-11-23"},
        LastChange(Instant(NOON), "u", "run"),
    )
    assert (
        render_record(record)
        == """\
device/d1 "Lamp\\u001b[2J"
  version 1:a+b
  last applied to sqlite: 1:a+b
  last applied to history: not known to be written by the engine (after a restore, it knows only what it wrote before the snapshot)
  last applied to influxdb: unknown, a write was cut off
  last written 2026-11-23T12:00:00.000Z by run run
  fields:
    labels: ["x"]
    name: "Lamp\\u001b[2J"
  derived:
    entity_count: 2
  row timestamps:
    created_at: "2026-11-23"
"""
    )


@pytest.fixture
def former(reconcile: Reconcile, tmp_path: Path) -> Reconcile:
    """Runs a command on stores of a home in which records were renamed, deleted and lost."""
    fill(tmp_path)
    return lambda *argv: reconcile(*argv, "--rows", "rows.db", "--records", "history:history.db")


def test_a_renamed_record_is_shown_under_its_new_name(former: Reconcile) -> None:
    code, out, err = former("show", "light.old")
    assert (code, "light.new" in out) == (0, True)
    assert err.startswith('"light.old" has another name by now: "light.new"')


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("light.deleted", "was deleted at 2026-11-23T12:01:00.000Z"),
        (DELETED.id, "was deleted at 2026-11-23T12:01:00.000Z"),
        (f"entity/{DELETED.id}", "was deleted at 2026-11-23T12:01:00.000Z"),
        ("light.lost", "was not deleted since"),
        ("light.never", "No stored record is called"),
    ],
)
def test_a_record_without_a_row_is_shown_with_its_fate(former: Reconcile, text: str, reported: str) -> None:
    code, out, err = former("show", text)
    assert (code, out) == (1, "")
    assert reported in err


@pytest.mark.parametrize(
    "spell",
    [str.upper, str.capitalize, lambda text: f"\t{text.upper()} "],
    ids=["upper", "capital", "blanks"],
)
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("light.new", f"entity/{entity(1).id}"),
        (entity(1).id, f"entity/{entity(1).id}"),
        (f"entity/{entity(1).id}", f"entity/{entity(1).id}"),
        ("light.old", f"entity/{entity(1).id}"),
        (str(device(1).name), str(device(1).key)),
        ("light.deleted", "was deleted at 2026-11-23T12:01:00.000Z"),
        (DELETED.id, "was deleted at 2026-11-23T12:01:00.000Z"),
        (f"entity/{DELETED.id}", "was deleted at 2026-11-23T12:01:00.000Z"),
        ("light.lost", "was not deleted since"),
    ],
)
def test_case_and_blanks_do_not_matter(
    former: Reconcile, text: str, found: str, spell: Callable[[str], str]
) -> None:
    answer = former("show", spell(text))
    assert found in answer.out + answer.err
    history = former("history", spell(text))
    assert (history.code, history.err) == (0, "")
    assert history.out == former("history", text).out


@pytest.mark.parametrize(
    ("records", "has_versions"),
    [("history:history.db", True), ("history:another.db", False), ("none", False)],
)
def test_versions_are_offered_only_where_some_are_kept(
    reconcile: Reconcile, tmp_path: Path, records: str, has_versions: bool
) -> None:
    fill(tmp_path)
    err = reconcile("show", "light.deleted", "--rows", "rows.db", "--records", records).err
    assert "was deleted at" in err
    assert ("\nIts versions: reconcile history entity/" in err) == has_versions


@pytest.mark.parametrize(
    ("text", "key"),
    [("light.old", entity(1).key), ("light.deleted", DELETED.key), ("light.lost", LOST.key)],
)
def test_a_history_is_found_by_every_name(former: Reconcile, text: str, key: Key) -> None:
    code, out, err = former("history", text)
    assert (code, err) == (0, "")
    assert out.startswith(f"{key}\n")
    assert "is a foreign row" in former("history", "mocked").err


def mock(statement: str) -> None:
    """Write into the rows as another program would."""
    connection = apsw.Connection("rows.db")
    connection.execute(statement)
    connection.close()


def test_of_two_records_of_one_name_the_foreign_one_is_reported(mirror: Reconcile) -> None:
    mirror()
    mock("INSERT INTO devices (device_id, name) VALUES ('mock', 'Sun')")
    several = mirror("show", "sun")
    assert several.code == 1
    assert "device/mock (Sun, foreign)" in several.err
    assert "real)" in several.err
    code, out, err = mirror("show", "device/mock")
    assert (code, err) == (0, "")
    assert out.startswith('device/mock "Sun"\n  Foreign: Only sqlite has it.\n')
    assert (
        "  Left alone; plan.prune_foreign = true would delete it. To do it: reconcile --prune-foreign\n"
        in out
    )
    shown = json.loads(mirror("show", "device/mock", "--json").out)
    assert (shown["sync"]["state"], shown["sync"]["command"]) == ("foreign", "reconcile --prune-foreign")


def test_a_name_is_found_in_any_case(mirror: Reconcile) -> None:
    mirror()
    assert "light.kitchen_lights" in mirror("show", "LIGHT.Kitchen_Lights").out


def test_a_real_record_is_shown_as_such_with_its_time(mirror: Reconcile) -> None:
    mirror()
    out = mirror("show", "light.kitchen_lights").out
    shown = json.loads(mirror("show", "light.kitchen_lights", "--json").out)
    assert shown["sync"]["since"] == shown["last_change"]["at"]
    assert (
        f"  Real since {shown['last_change']['at']}: Every store holds exactly what Home Assistant has."
        in out
    )
    assert "  Real since" in mirror("history", "light.kitchen_lights").out


def test_a_record_changed_by_another_program_lists_its_differences(mirror: Reconcile) -> None:
    mirror()
    mock("UPDATE entities SET original_name = 'Wrecked' WHERE entity_id = 'light.kitchen_lights'")
    out = mirror("show", "light.kitchen_lights").out
    assert "  Drifted: Another program changed it in sqlite.\n" in out
    assert "    original_name: Home Assistant " in out
    assert ', sqlite "Wrecked"\n' in out
    assert "  Will be written with the next pass. To do it: reconcile\n" in out
    assert "  Drifted: " in mirror("history", "light.kitchen_lights").out


def test_a_record_that_the_rows_lack_is_shown_as_missing(mirror: Reconcile) -> None:
    mirror()
    mock("DELETE FROM entities WHERE entity_id = 'light.kitchen_lights'")
    out = mirror("show", "light.kitchen_lights").out
    assert "  Missing: Another program deleted it from sqlite.\n" in out


def test_without_home_assistant_nothing_is_known_now(mirror: Reconcile, reconcile: Reconcile) -> None:
    mirror()
    stores = ("--rows", "rows.db", "--records", "history:history.db")
    for source in ((), ("--source", "capture:nowhere")):
        code, out, err = reconcile("show", "light.kitchen_lights", *stores, *source)
        assert (code, err) == (0, "")
        assert "  Not known now: Home Assistant is out of reach: " in out
