"""A real Home Assistant behaves as the engine and its other tests take for granted, in each release."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.real.admin_client import CommandError, send_command
from tests.real.home_assistant import HomeAssistant, HomeAssistantError, running_home_assistant

pytestmark = pytest.mark.real_server

Row = dict[str, Any]

# Config entries and the rows that a new home has of devices and entities.
NEW_HOME = {
    "2024.3.3": (["demo", "sun"], 48, 65),
    "2026.11.0": (["backup", "demo", "marketplace", "sun"], 61, 89),
}
# The registries that both releases have, by the field that identifies a row; 2024.3.3 has no categories yet.
LISTS = {
    "config/device_registry/list": "id",
    "config/entity_registry/list": "id",
    "config/area_registry/list": "area_id",
    "config/floor_registry/list": "floor_id",
    "config/label_registry/list": "label_id",
    "config_entries/get": "entry_id",
}
# Python sets, listed in any order.
SET_FIELDS = ("identifiers", "connections", "labels", "config_entries", "aliases")


def registry_rows(home_assistant: HomeAssistant, token: str = "") -> dict[str, list[Row]]:
    """Every registry by its list command, with the order taken out that has no meaning."""
    return {command: _rows(home_assistant, token or home_assistant.token, command) for command in LISTS}


def _rows(home_assistant: HomeAssistant, token: str, command: str) -> list[Row]:
    rows: list[Row] = send_command(home_assistant.url, token, command)
    return sorted(map(_in_order, rows), key=lambda row: str(row[LISTS[command]]))


def _in_order(row: Row) -> Row:
    return {field: sorted(value, key=str) if field in SET_FIELDS else value for field, value in row.items()}


def unstamped(row: Row) -> Row:
    """A row without the time of its last change, which rows have since 2024.8."""
    return {field: value for field, value in row.items() if field != "modified_at"}


def entity_with_id(home_assistant: HomeAssistant, registry_id: str) -> Row:
    rows: list[Row] = home_assistant.command("config/entity_registry/list")
    return next(row for row in rows if row["id"] == registry_id)


def test_a_new_home_has_the_demo_rows_and_an_owner_who_made_three_areas(
    home_assistant: HomeAssistant,
) -> None:
    rows = registry_rows(home_assistant)
    entities = rows["config/entity_registry/list"]
    assert {"bed_light", "ceiling_lights", "kitchen_lights"} <= {
        row["entity_id"].removeprefix("light.") for row in entities if row["platform"] == "demo"
    }
    assert {"bedroom", "kitchen", "living_room"} <= {
        row["area_id"] for row in rows["config/area_registry/list"]
    }
    domains = sorted(row["domain"] for row in rows["config_entries/get"])
    version = home_assistant.command("get_config")["version"]
    assert version == home_assistant.version
    assert (domains, len(rows["config/device_registry/list"]), len(entities)) == NEW_HOME[version]


def test_a_renamed_entity_keeps_its_registry_id_and_every_other_field(home_assistant: HomeAssistant) -> None:
    before = next(
        row
        for row in home_assistant.command("config/entity_registry/list")
        if row["entity_id"] == "light.bed_light"
    )
    rename = "config/entity_registry/update"
    home_assistant.command(rename, entity_id="light.bed_light", new_entity_id="light.night_light")
    try:
        renamed = unstamped(entity_with_id(home_assistant, before["id"]))
        assert renamed == unstamped(before) | {"entity_id": "light.night_light"}
    finally:
        home_assistant.command(rename, entity_id="light.night_light", new_entity_id="light.bed_light")
    assert unstamped(entity_with_id(home_assistant, before["id"])) == unstamped(before)


def test_a_refused_command_raises_with_home_assistants_code(home_assistant: HomeAssistant) -> None:
    with pytest.raises(CommandError) as refusal:
        home_assistant.command("config/entity_registry/get", entity_id="light.there_is_none")
    assert refusal.value.code == "not_found"


def test_a_read_only_user_reads_the_same_rows_and_may_not_change_them(home_assistant: HomeAssistant) -> None:
    token = home_assistant.read_only_token()
    assert registry_rows(home_assistant, token) == registry_rows(home_assistant)
    with pytest.raises(CommandError) as refusal:
        send_command(home_assistant.url, token, "config/area_registry/create", name="Attic")
    assert refusal.value.code == "unauthorized"


def test_bulk_adds_and_removes_the_requested_number_of_rows(home_assistant: HomeAssistant) -> None:
    before = registry_rows(home_assistant)
    entry_id = home_assistant.add_bulk("Made for a test", devices=30, entities=4)
    devices = home_assistant.command("config/device_registry/list")
    entities = home_assistant.command("config/entity_registry/list")
    home_assistant.remove_entry(entry_id)
    assert sum(entry_id in row["config_entries"] for row in devices) == 30
    assert sum(row["config_entry_id"] == entry_id for row in entities) == 120
    assert registry_rows(home_assistant) == before


def test_a_restart_of_2024_writes_a_field_of_entities_that_were_new_and_disabled(
    home_assistant: HomeAssistant,
) -> None:
    entry_id = home_assistant.add_bulk("Partly disabled", devices=2, entities=3, disabled=1)
    before = registry_rows(home_assistant)
    home_assistant.restart()
    after = registry_rows(home_assistant)
    home_assistant.remove_entry(entry_id)
    entities_before = before.pop("config/entity_registry/list")
    changed = [row for row in after.pop("config/entity_registry/list") if row not in entities_before]
    assert after == before
    expected = [(entry_id, "integration", {"conversation"})] * (
        2 if home_assistant.version == "2024.3.3" else 0
    )
    assert [(r["config_entry_id"], r["disabled_by"], r["options"].keys()) for r in changed] == expected
    without = [row | {"options": {}} for row in changed]
    assert all(row in entities_before for row in without)


def test_a_restart_or_recovery_mode_changes_no_row(
    home_assistant: HomeAssistant,
) -> None:
    before = registry_rows(home_assistant)
    home_assistant.restart()
    assert registry_rows(home_assistant) == before

    home_assistant.break_configuration()
    try:
        config = home_assistant.command("get_config")
        in_recovery = registry_rows(home_assistant)
    finally:
        home_assistant.repair_configuration()
    assert (config["state"], config["recovery_mode"]) == ("RUNNING", True)
    assert "recovery mode" in home_assistant.log_text()
    states = {row["domain"]: row["state"] for row in in_recovery.pop("config_entries/get")}
    assert states.pop("backup", "loaded") == "loaded"  # since 2025.1; recovery mode sets it up
    assert set(states.values()) == {"not_loaded"}
    if home_assistant.version == "2024.3.3":
        assert in_recovery == {command: before[command] for command in in_recovery}
    else:  # complete-looking lists that are nearly empty
        assert len(in_recovery["config/device_registry/list"]) == 1
        assert in_recovery["config/area_registry/list"] == []

    assert home_assistant.command("get_config")["recovery_mode"] is False
    assert registry_rows(home_assistant) == before


def test_flushed_storage_holds_a_change_made_just_before(fresh_home_assistant: HomeAssistant) -> None:
    home_assistant = fresh_home_assistant
    home_assistant.command("config/area_registry/create", name="Attic")
    stored = json.loads((home_assistant.flush_storage() / "core.area_registry").read_text())
    assert "attic" in [area["id"] for area in stored["data"]["areas"]]


def test_a_failed_start_raises_with_the_printed_output(tmp_path: Path) -> None:
    without_home_assistant = Path(sys.executable)
    with (
        pytest.raises(HomeAssistantError, match="No module named homeassistant"),
        running_home_assistant(without_home_assistant, tmp_path),
    ):
        pass
