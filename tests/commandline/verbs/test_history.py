"""`reconcile history KEY`: the timeline with before and after."""

import json

import pytest

from engine.commandline.verbs.history import RecordHistory, make_versions, render_timeline
from engine.core.records.record import Key
from engine.core.records.revision import Revision
from tests.commandline.homes import Home
from tests.commandline.in_process import Reconcile
from tests.homes import NOON

KEY = Key("device", "d1")


def revision(rev: int, op: str, **fields: object) -> Revision:
    return Revision(KEY, NOON + rev, op, rev, "-" if op == "delete" else f"1:{rev}", f"run-{rev}", fields)


def test_versions_are_listed_newest_first_with_their_changes() -> None:
    revisions = [
        revision(1, "create", name="Lamp", labels=["a"]),
        revision(2, "update", name="Lamp\x1b", labels=["a"]),
        revision(3, "delete"),
        revision(4, "create", name="Lamp"),
        revision(5, "update", name="Lamp", area_id="kitchen"),
    ]
    timeline = RecordHistory(1, *KEY, make_versions(revisions))
    assert (
        render_timeline(timeline, is_full=False)
        == """\
device/d1
  2026-11-23T12:00:05.000Z  update  rev 5  run run-5
      area_id: none -> "kitchen"
  2026-11-23T12:00:04.000Z  create  rev 4  run run-4
  2026-11-23T12:00:03.000Z  delete  rev 3  run run-3
  2026-11-23T12:00:02.000Z  update  rev 2  run run-2
      name: "Lamp" -> "Lamp\\u001b"
  2026-11-23T12:00:01.000Z  create  rev 1  run run-1
"""
    )


def test_the_changes_of_a_version_are_unknown_if_the_previous_one_is_forgotten() -> None:
    versions = make_versions([revision(2, "update", name="Lamp"), revision(3, "update", name="Sun")])
    assert [[c.name for c in version.changes] for version in versions] == [[], ["name"]]


def test_long_timelines_are_capped() -> None:
    timeline = RecordHistory(1, *KEY, make_versions([revision(n, "refresh") for n in range(80)]))
    assert "... and 30 more (--full)" in render_timeline(timeline, is_full=False)
    assert len(render_timeline(timeline, is_full=True).splitlines()) == 81


def test_a_change_is_in_the_timeline(mirror: Reconcile, home: Home) -> None:
    mirror()
    device = home.rename_device("Renamed")
    mirror()
    code, out, err = mirror("history", "Renamed")
    assert (code, err) == (0, "")
    assert out.startswith(f"device/{device}\n")
    assert '      name_by_user: none -> "Renamed"\n' in out
    versions = json.loads(mirror("history", device, "--json").out)["versions"]
    assert [v["op"] for v in versions] == ["create", "update"]
    assert {"name": "name_by_user", "before": None, "after": "Renamed"} in versions[1]["changes"]
    assert versions[1]["fields"]["name_by_user"] == "Renamed"


@pytest.mark.slow
def test_since_when_a_record_is_real_is_what_show_says(mirror: Reconcile, home: Home) -> None:
    mirror()
    home.rename_device("Renamed")
    mirror()
    for key in ("binary_sensor.sun_solar_rising", "light.kitchen_lights"):
        shown, kept = (json.loads(mirror(verb, key, "--json").out) for verb in ("show", "history"))
        assert kept["sync"]["since"] == shown["sync"]["since"] == shown["last_change"]["at"]


@pytest.mark.slow
def test_a_record_that_is_gone_still_has_its_past(
    mirror: Reconcile, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror()
    label = home.remove_label()
    monkeypatch.setenv("RECONCILE_PLAN__DELETE_CONFIRM_SECONDS", "0")
    mirror()
    assert mirror("show", label).code == 1
    assert mirror("history", f"label/{label}").code == 0
    assert mirror("history", label).code == 0


def test_without_a_store_there_is_no_history(reconcile: Reconcile) -> None:
    code, out, err = reconcile("history", "x", "--records", "none")
    assert (code, out) == (1, "")
    assert err.startswith("Error: Setting records.uri = 'none': no store keeps a history.\n")


def test_before_the_first_pass_there_is_no_history(reconcile: Reconcile) -> None:
    code, _, err = reconcile("history", "x")
    assert code == 1
    assert err.startswith("Error: The history file reconcile-history.db does not exist.\n")


def test_an_unknown_record_ends_with_1(mirror: Reconcile) -> None:
    mirror()
    code, out, err = mirror("history", "light.kitchen_light")
    assert (code, out) == (1, "")
    assert "Did you mean" in err
