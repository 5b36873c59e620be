"""Homes in the states that look like a loss: upgraded from the oldest core to the newest, safe mode, a corrupt registry."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.real.home_assistant import HomeAssistant, running_home_assistant
from tests.real.mirror import mirror_once, rows
from tests.real.registry_lists import read_lists, settled_lists

pytestmark = pytest.mark.real_server


def test_an_upgrade_in_place_keeps_every_row_and_splits_shared_devices(
    both_pythons: tuple[Path, Path], tmp_path: Path
) -> None:
    oldest, newest = both_pythons
    with running_home_assistant(oldest, tmp_path / "home_assistant") as core:
        for name in ("One", "Two"):
            core.add_bulk(name=name, devices=3, entities=2, legacy=1, shared=True)
        old_devices = read_lists(core)["device"]
        shared = {id_ for id_, row in old_devices.items() if len(row["config_entries"]) > 1}
        assert len(shared) == 3
        core.command(
            "config/device_registry/update", device_id=min(shared), name_by_user="Mine", area_id="kitchen"
        )
        run_pass = partial(mirror_once, core.url, core.token, tmp_path)
        assert run_pass().status == "in_sync"
        entities = set(rows(tmp_path, "entities", "id"))

        core.upgrade(newest)
        lists = settled_lists(core)
        splits = core.command("config/device_registry/list_composite_splits")
        assert splits.keys() == shared
        report = run_pass()
        assert report.errors == ()
        assert not [r for replica in report.replicas for r in replica.refusals]
        moved = {r.key for r in report.records if r.replica == "sqlite" and r.action == "move"}
        assert moved >= {id_ for id_ in lists["device"] if id_ in {s["primary_id"] for s in splits.values()}}
        report = run_pass(delete_confirm_seconds=0)  # what demo no longer has
        assert report.status == "in_sync"
        kept = rows(tmp_path, "devices", "device_id", "name_by_user", "area_id")
        assert kept == {id_: (row["name_by_user"], row["area_id"]) for id_, row in lists["device"].items()}
        assert set(rows(tmp_path, "entities", "id")) == lists["entity"].keys()
        assert len(entities & lists["entity"].keys()) > 0.9 * len(entities)
        assert run_pass().records == ()


def test_safe_mode_changes_no_row(fresh_home_assistant: HomeAssistant, tmp_path: Path) -> None:
    core = fresh_home_assistant
    core.add_bulk(devices=2, entities=2)
    run_pass = partial(mirror_once, core.url, core.token, tmp_path, delete_confirm_seconds=0)
    run_pass()
    core.stop()
    (core.config_dir / "safe-mode").touch()
    core.start()
    assert core.command("get_config")["safe_mode"] is True
    report = run_pass()
    assert (report.status, report.records) == ("in_sync", ())


@pytest.mark.parametrize("store", ["device", "entity", "area"])
def test_a_corrupt_registry_deletes_nothing(
    fresh_home_assistant: HomeAssistant, tmp_path: Path, store: str
) -> None:
    core = fresh_home_assistant
    core.add_bulk(devices=2, entities=2)
    core.command("config/area_registry/create", name="Attic")  # none that an integration suggests
    run_pass = partial(mirror_once, core.url, core.token, tmp_path, delete_confirm_seconds=0)
    run_pass()
    before = {table: set(rows(tmp_path, table, id_)) for table, id_ in TABLES}
    cut_short(core, f"core.{store}_registry")
    report = run_pass()
    assert report.errors == ()
    assert {r.guard for replica in report.replicas for r in replica.refusals} == {"storage_corruption"}
    assert report.status == "blocked"
    for table, id_ in TABLES:
        assert before[table] <= set(rows(tmp_path, table, id_)), table


def cut_short(core: HomeAssistant, store: str) -> None:
    """Start with half of a store's file, and with the issue that the core makes of that.

    A core reads its registries and its list of issues at once, and loses the issue of the one when the other is read
    later (2024.3.3, `helpers/issue_registry.py`, seen under load on 2026-11-29). Then it is given the issue as it would
    have stored it.
    """
    whole = (core.flush_storage() / store).read_bytes()
    issues = core.storage_dir / "repairs.issue_registry"
    for is_told in (False, False, True):
        core.stop()
        (core.storage_dir / store).write_bytes(whole[: len(whole) // 2])
        issues.unlink(missing_ok=True)
        if is_told:
            issues.write_text(json.dumps(_issue_registry(store)))
        core.start()
        found = core.command("repairs/list_issues")["issues"]
        if any(issue["issue_id"].startswith(f"storage_corruption_{store}") for issue in found):
            return
    raise AssertionError("the core does not say that its store was corrupt")


def _issue_registry(store: str) -> dict[str, Any]:
    issue = {
        "breaks_in_ha_version": None,
        "created": "2026-11-29T00:00:00+00:00",
        "data": None,
        "dismissed_version": None,
        "domain": "homeassistant",
        "is_fixable": True,
        "is_persistent": True,
        "issue_domain": None,
        "issue_id": f"storage_corruption_{store}_2026-11-29T00:00:00+00:00",
        "learn_more_url": None,
        "severity": "critical",
        "translation_key": "storage_corruption",
        "translation_placeholders": {"storage_key": store},
    }
    return {"version": 1, "minor_version": 2, "key": "repairs.issue_registry", "data": {"issues": [issue]}}


TABLES = (("devices", "device_id"), ("entities", "id"), ("areas", "area_id"), ("config_entries", "entry_id"))
