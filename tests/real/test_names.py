"""`effective_name` is what the core shows, for every entity that has a state, in homes that hold the corner cases."""

from pathlib import Path
from typing import Any

import pytest

from tests.real.home_assistant import HomeAssistant, running_home_assistant
from tests.real.mirror import mirror_once, rows

pytestmark = pytest.mark.real_server

UPDATE_ENTITY, UPDATE_DEVICE = "config/entity_registry/update", "config/device_registry/update"


def test_every_entity_has_the_name_that_the_core_shows(
    fresh_home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    core = fresh_home_assistant
    core.add_bulk(devices=2, entities=4, legacy=2, children=2, naming=True)
    differing, compared = differing_names(core, tmp_path, core.url)
    assert differing == {}
    assert compared > 140  # those of demo, and two for each corner case

    give_names(core)
    differing, compared = differing_names(core, tmp_path, core.url)
    # A device got the name that an entity has by itself: 2026.11 lists the entity without it at once, and shows it until
    # the next start.
    stale = {} if core.version == "2024.3.3" else {"sensor.factory_12_power_2": ("Power", "Power Power")}
    assert differing == stale

    storage = core.flush_storage()
    for source in (core.url, f"storage:{storage}"):
        assert differing_names(core, tmp_path, source) == ({}, compared), source


def give_names(core: HomeAssistant) -> None:
    """Names that a user can give: to devices, and to every third entity with a device and without."""
    devices = {row["name"]: row["id"] for row in core.command("config/device_registry/list")}
    renamed = {"Factory 12": "Power", "Bulk device 00000": "", "Bulk device 00001": "Bulk device"}
    for name, by_user in renamed.items():
        core.command(UPDATE_DEVICE, device_id=devices[name], name_by_user=by_user)
    entities = [row for row in core.command("config/entity_registry/list") if row["platform"] == "bulk"]
    given = ("", "Salon", "Mine", "Salon mine")
    for number, row in enumerate(entities[::3]):
        core.command(UPDATE_ENTITY, entity_id=row["entity_id"], name=given[number % len(given)])


def differing_names(core: HomeAssistant, folder: Path, source: str) -> tuple[dict[str, Any], int]:
    """(effective name and the state's by entity_id where they differ, number of compared) after a pass."""
    report = mirror_once(source, core.token, folder, delete_confirm_seconds=0)
    assert (report.errors, report.status) == ((), "in_sync")
    shown = {state["entity_id"]: state["attributes"] for state in core.command("get_states")}
    effective = rows(folder, "entities", "entity_id", "effective_name")
    compared = effective.keys() & shown.keys()
    pairs = {id_: (effective[id_][0], shown[id_].get("friendly_name")) for id_ in compared}
    return {id_: pair for id_, pair in sorted(pairs.items()) if pair[0] != pair[1]}, len(pairs)


def test_entities_that_no_integration_provides_are_named_by_the_registry_alone(
    fresh_home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    core = fresh_home_assistant
    core.add_bulk(devices=1, entities=2, legacy=1, naming=True)
    core.stop()
    (core.config_dir / "custom_components" / "bulk" / "__init__.py").unlink()
    core.start()
    differing, _ = differing_names(core, tmp_path, core.url)
    if core.version == "2024.3.3":
        # Until 2026.9 such a state lacks its device's name, and no registry shows that it is one.
        states = {state["entity_id"]: state["attributes"] for state in core.command("get_states")}
        assert all(states[id_]["restored"] for id_ in differing)
        differing = {id_: pair for id_, pair in differing.items() if not pair[0].endswith(pair[1] or "")}
    assert differing == {}


def test_an_upgrade_names_entities_as_the_new_core_does(
    both_pythons: tuple[Path, Path], tmp_path: Path
) -> None:
    oldest, newest = both_pythons
    with running_home_assistant(oldest, tmp_path / "home_assistant") as core:
        core.add_bulk(devices=2, entities=4, legacy=2, naming=True)
        give_names(core)
        core.upgrade(newest)
        storage = core.flush_storage()
        differing, compared = differing_names(core, tmp_path, f"storage:{storage}")
        assert (differing, compared > 140) == ({}, True)

        # The websocket does not have what the store keeps for entities with names of before the upgrade.
        kept = {
            id_ for id_, (name,) in rows(tmp_path, "entities", "entity_id", "compat_name").items() if name
        }
        differing, _ = differing_names(core, tmp_path, core.url)
        assert differing.keys() <= kept
        assert kept
        for entity_id in kept:
            (name,) = (
                row["name"]
                for row in core.command("config/entity_registry/list")
                if row["entity_id"] == entity_id
            )
            core.command(UPDATE_ENTITY, entity_id=entity_id, name=f"{name} 2")
        assert differing_names(core, tmp_path, core.url)[0] == {}
