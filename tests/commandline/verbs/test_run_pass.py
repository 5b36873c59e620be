"""One pass on recorded homes: what is printed, what is written, and the exit code."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from engine.core.state.report import SCHEMA_VERSION, Report
from engine.core.times import encode_document
from tests.commandline.homes import RICH, Home, recorded_homes
from tests.commandline.in_process import Reconcile
from tests.commandline.reports import read_report
from tests.examples import first_quick

STORES = ("--rows", "rows.db", "--records", "history:history.db")


def files(folder: Path) -> dict[str, str]:
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir()) if p.is_file()
    }


def decoded(text: str) -> Report:
    return read_report(text)


def test_a_first_pass_adds_everything_and_a_second_finds_nothing_to_do(mirror: Reconcile) -> None:
    first = mirror()
    assert (first.code, first.err) == (0, "")
    assert first.out.endswith("\nApplied: 205 added (sqlite); 205 added (history).\n")
    second = mirror()
    assert (second.code, second.err) == (0, "")
    assert second.out == (
        "Nothing to do: sqlite and history hold exactly what Home Assistant has (205 records).\n"
    )


@pytest.mark.parametrize("folder", recorded_homes())
def test_json_is_one_report_for_every_recorded_home(reconcile: Reconcile, folder: Path) -> None:
    for argv in (["--dry-run"], [], ["drift"]):
        code, out, err = reconcile(*argv, "--json", "--source", f"capture:{folder}", *STORES)
        assert (code, err) == (0, "")
        report = decoded(out)
        assert report.schema_version == SCHEMA_VERSION
        assert encode_document(report).decode() + "\n" == out
    assert report.status == "in_sync"


@pytest.mark.parametrize(
    "argv", first_quick([["--dry-run"], ["--observe"], ["drift"], ["doctor"], ["--plan-out", "plan.json"]])
)
def test_looking_writes_nothing(
    mirror: Reconcile, home: Home, nobodys_machine: Path, argv: list[str]
) -> None:
    mirror(*argv)
    (nobodys_machine / "plan.json").unlink(missing_ok=True)
    assert files(nobodys_machine) == {}
    mirror()
    home.rename_device("Renamed")
    before = files(nobodys_machine)
    assert mirror(*argv).code == 0
    (nobodys_machine / "plan.json").unlink(missing_ok=True)
    assert files(nobodys_machine) == before


def test_a_change_is_planned_then_made(mirror: Reconcile, home: Home) -> None:
    mirror()
    device = home.rename_device("Renamed\x1b[31m")
    planned = mirror("--dry-run", "--detailed-exitcode")
    assert planned.code == 2
    assert f"~ change  device/{device}" in planned.out
    assert 'name_by_user: none -> "Renamed\\u001b[31m"' in planned.out
    assert "Nothing was written." in planned.out
    made = mirror("--detailed-exitcode")
    assert made.code == 2
    assert "\x1b" not in made.out
    assert made.out.splitlines()[-1].startswith("Applied: ")
    assert mirror("--detailed-exitcode").code == 0


def test_only_some_registries_are_compared_on_request(mirror: Reconcile) -> None:
    assert mirror("--only", "floor").out.endswith("Applied: 3 added (sqlite); 3 added (history).\n")
    assert "(3 records of floor)" in mirror("--only", "floor").out
    assert {r.registry for r in decoded(mirror("--json").out).records} >= {"device", "entity"}


def test_a_delete_waits_for_a_second_read(mirror: Reconcile, home: Home) -> None:
    mirror()
    label = home.remove_label()
    code, out, _ = mirror("--only", "label")
    assert code == 0
    assert f"- remove  label/{label}" in out
    assert "1 delete waits for a second look: run again in 60 s, or pass --confirm-deletes." in out
    assert "remove" not in mirror("show", f"label/{label}").out
    assert mirror("show", f"label/{label}").code == 0


@pytest.mark.parametrize("limit", ["40", "90%"])
def test_a_delete_that_was_allowed_and_waits_says_how_to_allow_it_again(
    mirror: Reconcile, home: Home, limit: str
) -> None:
    mirror()
    home.remove_label()
    out = mirror("--only", "label", "--max-delete", limit, "--allow-empty").out
    assert (
        f"run again in 60 s with --max-delete {limit} --allow-empty, or add --confirm-deletes to that." in out
    )


def test_confirmed_deletes_are_made_in_one_run(
    mirror: Reconcile, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror()
    label = home.remove_label()
    monkeypatch.setenv("RECONCILE_PLAN__DELETE_CONFIRM_SECONDS", "0")
    code, out, _ = mirror("--only", "label")
    assert (code, out.splitlines()[-1]) == (0, "Applied: 1 removed (sqlite); 1 removed (history).")
    assert mirror("show", f"label/{label}").code == 1


def test_a_guard_ends_with_3_and_names_the_way_out(
    mirror: Reconcile, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror()
    label = home.remove_label()
    monkeypatch.setenv("RECONCILE_PLAN__DELETE_CONFIRM_SECONDS", "0")
    code, out, _ = mirror("--max-delete", "0")
    assert code == 3
    assert "Refused by delete_count: 1 operation held back in sqlite." in out
    quiet = mirror("--max-delete", "0", "-q")
    assert (quiet.code, quiet.out) == (3, "")
    assert "Refused by delete_count" in quiet.err
    assert decoded(mirror("--max-delete", "0", "--json").out).status == "blocked"
    assert mirror("show", f"label/{label}").code == 0
    assert mirror("--max-delete", "1").code == 0


def test_an_unreadable_source_is_an_error_and_a_report(reconcile: Reconcile, nobodys_machine: Path) -> None:
    argv = ("--source", "capture:nowhere", *STORES)
    code, out, err = reconcile(*argv)
    assert code == 1
    assert err.startswith("Error: ")
    assert len(err.splitlines()) == 2
    assert out.startswith("Unknown: ")
    code, out, err = reconcile(*argv, "--json")
    assert code == 1
    assert err.startswith("Error: ")
    assert decoded(out).errors[0].subject == "source"
    assert files(nobodys_machine) == {}


def test_settings_that_do_not_fit_are_a_failure_with_a_hint(reconcile: Reconcile) -> None:
    code, out, err = reconcile()
    assert (code, out) == (1, "")
    assert err.startswith("Error: No source is set.\nSet source.uri (--source")
    assert reconcile("--config", "nowhere.toml").code == 1
    assert reconcile("--site", "No Such Name").err.count("\n") == 2


def test_quiet_prints_nothing_when_nothing_is_wrong(mirror: Reconcile) -> None:
    assert mirror("-q") == (0, "", "")
    assert decoded(mirror("-q", "--json").out).status == "in_sync"


def test_verbose_shows_each_step_on_stderr(mirror: Reconcile) -> None:
    _, out, err = mirror("-v")
    assert "device list\n" in err
    assert "device list" not in out


@pytest.mark.parametrize(
    ("environ", "is_coloured"),
    first_quick([({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False), ({}, False)]),
)
def test_colour_follows_the_environment(
    mirror: Reconcile, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], is_coloured: bool
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[32m+ add" in mirror("--dry-run").out) is is_coloured
    assert "\x1b[32m+ add" in mirror("--dry-run", "--color", "always").out
    assert "\x1b" not in mirror("--dry-run", "--color", "never").out
    assert "\x1b" not in mirror("--dry-run", "--color", "always", "--json").out


def test_a_plan_is_saved_whole_and_only_for_its_owner(mirror: Reconcile, nobodys_machine: Path) -> None:
    code, out, err = mirror("--plan-out", "plan.json")
    assert code == 0
    assert "Nothing was written." in out
    assert err == "The plan is in plan.json; carry it out with --plan plan.json.\n"
    path = nobodys_machine / "plan.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert decoded(path.read_text()).mode == "dry_run"
    assert [p.name for p in nobodys_machine.iterdir() if p.is_file()] == ["plan.json"]


def test_a_saved_plan_is_carried_out(mirror: Reconcile, home: Home) -> None:
    mirror()
    home.rename_device("Renamed")
    mirror("--plan-out", "plan.json")
    assert mirror("--plan", "plan.json").out.splitlines()[-1].startswith("Applied: ")
    assert mirror("--detailed-exitcode").code == 0


def test_a_stale_plan_is_refused_and_nothing_written(
    mirror: Reconcile, home: Home, nobodys_machine: Path
) -> None:
    mirror()
    home.rename_device("Renamed")
    mirror("--plan-out", "plan.json")
    home.rename_device("Renamed again")
    before = files(nobodys_machine)
    code, out, err = mirror("--plan", "plan.json")
    assert (code, out) == (3, "")
    assert err.startswith("Error: The saved plan is stale")
    assert files(nobodys_machine) == before


def test_no_plan_is_saved_of_a_home_that_was_not_read(reconcile: Reconcile, nobodys_machine: Path) -> None:
    code, _, err = reconcile("--plan-out", "plan.json", "--source", "capture:nowhere", *STORES)
    assert code == 1
    assert err.endswith("No plan was written to plan.json.\n")
    assert not (nobodys_machine / "plan.json").exists()


def test_a_file_that_is_no_plan_is_one_clear_error(mirror: Reconcile, nobodys_machine: Path) -> None:
    path = nobodys_machine / "plan.json"
    path.write_text(json.dumps({"schema_version": 99}))
    code, out, err = mirror("--plan", "plan.json")
    assert (code, out) == (1, "")
    assert err.startswith("Error: The plan plan.json has schema_version 99; this program reads 1.\n")


def test_the_recorded_home_itself_was_not_touched() -> None:
    assert (RICH / "device_registry_list.json").exists()


def test_another_records_store_is_a_first_fill(reconcile: Reconcile, home: Home) -> None:
    def run(records: str) -> tuple[str, dict[str, int]]:
        report = json.loads(
            reconcile("--source", home.source, "--rows", "r.db", "--records", records, "--json").out
        )
        return report["status"], Counter(r["cause"] for r in report["records"] if r["replica"] == "history")

    assert run("history:a.db") == ("in_sync", {"pending": 205})
    home.rename_device("Renamed")
    assert run("history:b.db") == ("in_sync", {"pending": 205})
    assert run("history:a.db") == ("in_sync", {"pending": 1})
    assert run("history:a.db") == ("in_sync", {})
