"""The main job against a real Home Assistant: its records arrive exactly, and nothing is deleted in doubt."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from engine.core.state.report import Report
from tests.real.home_assistant import HomeAssistant
from tests.real.mirror import Pass, mirror_once, rows
from tests.real.registry_lists import settled_lists

pytestmark = pytest.mark.real_server


@pytest.fixture
def mirror(tmp_path: Path) -> Callable[[HomeAssistant], Pass]:
    """Passes from a core into stores of the test's own; `plan` settings by keyword."""

    def of(core: HomeAssistant, token: str = "") -> Pass:
        return partial(mirror_once, core.url, token or core.token, tmp_path)

    return of


def written(report: Report) -> list[tuple[str, str, str]]:
    return [(r.replica, str(r.action), r.name) for r in report.records if r.outcome == "applied"]


def test_the_first_pass_mirrors_every_row_and_the_second_writes_nothing(
    home_assistant: HomeAssistant, mirror: Callable[..., Pass], tmp_path: Path
) -> None:
    run_pass = mirror(home_assistant, home_assistant.read_only_token())
    first = run_pass()
    assert (first.status, first.errors) == ("in_sync", ())

    devices = home_assistant.command("config/device_registry/list")
    entities = home_assistant.command("config/entity_registry/list")
    fields = ("name", "manufacturer", "model", "sw_version", "area_id", "disabled_by")
    assert rows(tmp_path, "devices", "device_id", *fields[1:]) == {
        row["id"]: tuple(row[name] for name in fields[1:]) for row in devices
    }
    fields = ("entity_id", "unique_id", "platform", "device_id", "original_name", "entity_category")
    assert rows(tmp_path, "entities", "id", *fields) == {
        row["id"]: tuple(row[name] for name in fields) for row in entities
    }
    options = rows(tmp_path, "entities", "id", "options")
    assert {key: json.loads(text) for key, (text,) in options.items()} == {
        row["id"]: row["options"] for row in entities
    }
    for command, table, id_ in (("area", "areas", "area_id"), ("floor", "floors", "floor_id")):
        listed = home_assistant.command(f"config/{command}_registry/list")
        assert set(rows(tmp_path, table, id_)) == {row[id_] for row in listed}

    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.db")}
    second = run_pass()
    assert (second.status, second.records) == ("in_sync", ())
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.db")} == before


def test_edits_arrive_exactly_and_alone(
    fresh_home_assistant: HomeAssistant, mirror: Callable[..., Pass], tmp_path: Path
) -> None:
    core = fresh_home_assistant
    run_pass = mirror(core)
    run_pass()
    update = partial(core.command, "config/entity_registry/update")

    update(entity_id="light.bed_light", new_entity_id="light.night_light")
    report = run_pass()
    assert [r[:2] for r in written(report)] == [("sqlite", "move"), ("history", "move")]
    changed = {f.name: (f.replica, f.source) for f in report.records[0].fields}
    assert changed == {"entity_id": ("light.bed_light", "light.night_light")}

    update(entity_id="light.ceiling_lights", new_entity_id="light.parking")
    update(entity_id="light.kitchen_lights", new_entity_id="light.ceiling_lights")
    update(entity_id="light.parking", new_entity_id="light.kitchen_lights")
    assert [r[:2] for r in written(run_pass())] == [("sqlite", "move")] * 2 + [("history", "move")] * 2

    device = next(d for d in core.command("config/device_registry/list") if d["name"] == "Ceiling Lights")
    core.command("config/device_registry/update", device_id=device["id"], area_id="bedroom")
    report = run_pass()
    assert {(r.replica, r.registry) for r in report.records} == {
        ("sqlite", "device"),
        ("sqlite", "entity"),
        ("history", "device"),
    }
    stored = rows(tmp_path, "entities", "entity_id", "area_id", "effective_area_id")
    assert stored["light.kitchen_lights"] == (None, "bedroom")

    update(entity_id="light.night_light", disabled_by="user")
    (row, record) = run_pass().records
    assert {(f.name, f.replica, f.source) for f in row.fields} == {
        ("disabled", False, True),
        ("disabled_by", None, "user"),
    }
    assert [f.name for f in record.fields] == ["disabled_by"]
    assert run_pass().records == ()


def test_a_removed_integration_goes_after_a_second_read_and_returns_with_its_ids(
    fresh_home_assistant: HomeAssistant, mirror: Callable[..., Pass], tmp_path: Path
) -> None:
    core = fresh_home_assistant
    entry = core.add_bulk(name="Bulk", devices=2, entities=3, stable=True)
    run_pass = mirror(core)
    run_pass()
    ids = set(rows(tmp_path, "entities", "id"))

    core.remove_entry(entry)
    first = run_pass()
    assert (first.status, [r.waiting for r in first.replicas]) == ("out_of_sync", [9, 9])
    assert set(rows(tmp_path, "entities", "id")) == ids
    assert run_pass(delete_confirm_seconds=0).status == "in_sync"
    assert len(ids - set(rows(tmp_path, "entities", "id"))) == 6

    core.add_bulk(name="Bulk", devices=2, entities=3, stable=True)
    assert run_pass().status == "in_sync"
    assert set(rows(tmp_path, "entities", "id")) == ids


def test_a_restart_changes_no_row(fresh_home_assistant: HomeAssistant, mirror: Callable[..., Pass]) -> None:
    run_pass = mirror(fresh_home_assistant)
    # On its first start a core still sets up parts of itself (the backup's device) after it says that it runs.
    fresh_home_assistant.restart()
    settled_lists(fresh_home_assistant)
    run_pass()
    fresh_home_assistant.restart()
    assert run_pass(delete_confirm_seconds=0).records == ()


def test_recovery_mode_deletes_nothing_and_gives_the_reason(
    fresh_home_assistant: HomeAssistant, mirror: Callable[..., Pass], tmp_path: Path
) -> None:
    core = fresh_home_assistant
    run_pass = mirror(core)
    run_pass()
    core.command("config/area_registry/delete", area_id="kitchen")
    before = rows(tmp_path, "areas", "area_id", "name")
    core.break_configuration()
    report = run_pass(delete_confirm_seconds=0)
    assert report.status == "blocked"
    assert {r.refusals[0].guard for r in report.replicas} == {"recovery_mode"}
    assert rows(tmp_path, "areas", "area_id", "name") == before
    core.repair_configuration()
    assert run_pass(delete_confirm_seconds=0).status == "in_sync"
    assert set(before) - set(rows(tmp_path, "areas", "area_id", "name")) == {"kitchen"}


def test_a_core_that_has_not_started_yet_deletes_nothing(
    fresh_home_assistant: HomeAssistant, mirror: Callable[..., Pass], tmp_path: Path
) -> None:
    core = fresh_home_assistant
    core.add_bulk(name="Slow", devices=1, entities=1, delay=5)
    run_pass = mirror(core)
    run_pass()
    core.command("config/area_registry/delete", area_id="kitchen")
    core.stop()
    core.start(until_running=False)
    report = run_pass(delete_confirm_seconds=0)
    assert report.source.state != "RUNNING"
    assert {r.refusals[0].guard for r in report.replicas} == {"not_running"}
    assert "kitchen" in rows(tmp_path, "areas", "area_id", "name")
    core.wait_until_running()
    assert run_pass(delete_confirm_seconds=0).status == "in_sync"


def test_twenty_thousand_entities_arrive_in_one_pass(
    fresh_home_assistant: HomeAssistant, mirror: Callable[..., Pass], tmp_path: Path
) -> None:
    core = fresh_home_assistant
    for part in ("One", "Two"):
        core.add_bulk(name=part, devices=1000, entities=10)
    run_pass = mirror(core)
    assert run_pass().status == "in_sync"
    assert len(rows(tmp_path, "entities", "id")) > 20_000
    assert run_pass().records == ()


def test_storage_and_websocket_of_one_home_are_the_same_home(
    fresh_home_assistant: HomeAssistant, mirror: Callable[..., Pass], tmp_path: Path
) -> None:
    core = fresh_home_assistant
    core.add_bulk(name="Bulk", devices=3, entities=3, legacy=1)
    storage = core.flush_storage()
    run_pass = mirror(core)
    run_pass()
    report = mirror_once(f"storage:{storage}", "", tmp_path, "drift")
    assert report.errors == ()
    # What 2024.3.3 keeps in its files and does not send over the websocket shows as set, never as lost.
    names = {f.name for r in report.records for f in r.fields}
    assert names <= {"labels", "floor_id", "aliases", "entity_count"}
    assert not [r for r in report.records if r.kind != "stale"]
