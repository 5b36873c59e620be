"""`reconcile doctor`: one line per check, and the setting to change."""

import json
import time
from pathlib import Path

import pytest

from engine.commandline.arguments.loading import load
from engine.commandline.arguments.parser import parse
from engine.commandline.text.colour import Paint
from engine.commandline.verbs.doctor.check import Check
from engine.commandline.verbs.doctor.doctor import check_log, check_place, check_token, render_checks
from engine.commandline.verbs.doctor.home import check_clock, check_rows_of_source, check_state, check_unread
from engine.core.home.reading import SourceHealth
from engine.core.home.snapshot import make_snapshot
from engine.core.home.unread import Unread
from tests.commandline.in_process import Reconcile
from tests.homes import NOON, device, snapshot


def statuses(text: str) -> dict[str, str]:
    return {check["name"]: check["status"] for check in json.loads(text)["checks"]}


def test_a_healthy_home_has_only_good_news(mirror: Reconcile) -> None:
    mirror()
    code, out, err = mirror("doctor")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert all(line.startswith("ok   ") for line in lines)
    assert any(line.endswith("Home Assistant 2026.11.0, 205 records") for line in lines)
    assert "ok   state: RUNNING, not in recovery mode" in lines
    assert "ok   rows: rows.db: 205 rows, journal mode wal" in lines
    assert "ok   records: history:history.db: 205 records" in lines
    assert set(statuses(mirror("doctor", "--json").out).values()) == {"ok"}
    assert mirror("doctor", "-q").out == ""


def test_before_the_first_pass_that_is_no_fault(mirror: Reconcile) -> None:
    code, out, _ = mirror("doctor")
    assert code == 0
    assert "ok   rows: rows.db does not exist yet; the first pass makes it\n" in out


def test_every_fault_is_reported_with_the_setting_to_change(
    reconcile: Reconcile, nobodys_machine: Path
) -> None:
    (nobodys_machine / "rows.db").write_bytes(b"this is no database, and long enough to be looked at" * 100)
    argv = ("doctor", "--source", "capture:nowhere", "--rows", "rows.db", "--records", "history:nowhere/h.db")
    code, out, _ = reconcile(*argv, "--json")
    assert code == 1
    found = statuses(out)
    assert (found["settings"], found["source"], found["rows"], found["records"]) == (
        "ok",
        "fail",
        "fail",
        "fail",
    )
    assert all(check["hint"] for check in json.loads(out)["checks"] if check["status"] == "fail")


def test_settings_that_cannot_be_read_end_the_examination(
    reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_NONSENSE", "1")
    code, out, _ = reconcile("doctor", "--json")
    assert code == 1
    assert statuses(out) == {"settings": "fail"}


def test_a_token_is_needed_for_a_live_home_only(
    nobodys_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_token(load(parse(["--source", "capture:x"]))).status == "ok"
    assert check_token(load(parse(["--source", "ws://home:8123"]))).status == "fail"
    file = nobodys_machine / "token"
    file.write_text("secret-token")
    monkeypatch.setenv("RECONCILE_SOURCE__TOKEN_FILE", "token")
    file.chmod(0o644)
    assert check_token(load(parse(["--source", "ws://home:8123"]))).hint == "chmod 600 token"
    file.chmod(0o600)
    assert check_token(load(parse(["--source", "ws://home:8123"]))).status == "ok"


@pytest.mark.parametrize(
    ("health", "status"),
    [
        (SourceHealth(state="RUNNING", recovery_mode=False), "ok"),
        (SourceHealth(), "ok"),
        (SourceHealth(state="STARTING"), "warn"),
        (SourceHealth(state="RUNNING", recovery_mode=True), "fail"),
        (SourceHealth(state="RUNNING", corrupt_stores=("core.entity_registry",)), "fail"),
    ],
)
def test_a_state_in_which_nothing_may_be_deleted_is_reported(health: SourceHealth, status: str) -> None:
    assert check_state(snapshot(health=health)).status == status


def test_a_clock_that_is_ahead_of_ours_is_noticed() -> None:
    home = snapshot(device(1, modified_at=NOON), device(2))
    assert check_clock(home, NOON).status == "ok"
    assert check_clock(home, NOON - 90).message == "Home Assistant's clock is at least 90 s ahead of this one"
    assert check_clock(snapshot(), time.time()).status == "ok"
    dated = check_clock(home.read_as(note="b.tar is dated 2027, in the future."), NOON)
    assert (dated.status, dated.message) == ("warn", "b.tar is dated 2027, in the future")


def test_a_missing_folder_is_a_fault(tmp_path: Path) -> None:
    assert check_place("rows file", tmp_path / "nowhere" / "rows.db").status == "fail"
    assert check_place("rows file", tmp_path / "rows.db").status in ("ok", "warn")


def test_a_log_that_a_reader_makes_grow_is_reported(tmp_path: Path) -> None:
    rows = tmp_path / "rows.db"
    assert list(check_log(rows)) == []
    with rows.with_name("rows.db-wal").open("wb") as log:
        log.truncate(100 * 2**20)
    (found,) = check_log(rows)
    assert found.status == "warn"
    assert "100 MiB" in found.message
    assert "fuser" in found.hint


def test_checks_read_as_lines() -> None:
    checks = [Check("token", "ok", "fine"), Check("source", "fail", "away\x1b[2J", "Turn it on.")]
    assert render_checks(checks, Paint(False)) == (
        "ok   token: fine\nfail source: away\\u001b[2J\n     Turn it on.\n"
    )


def test_rows_that_cannot_be_used_are_named() -> None:
    twice = [d for number in range(1, 8) for d in (device(number), device(number, name="again"))]
    check = check_rows_of_source(snapshot(*twice))
    assert check.status == "warn"
    assert check.message.startswith("14 rows cannot be used: device, Device 1, id d")
    assert "its id is listed more than once" in check.message
    assert check.message.endswith("and 9 more (`reconcile drift`)")


def test_a_registry_without_a_file_is_reported_and_no_alarm() -> None:
    """A home that never had a label has no file of them, and that is most homes."""
    unread = Unread({"label": "core.label_registry is missing in .storage"})
    home = make_snapshot(
        records=[device(1)], taken_at=NOON, origin="x", registries=frozenset({"device"}), unread=unread
    )
    (check,) = check_unread(home)
    assert check.status == "ok"
    assert check.message == "not read: core.label_registry is missing in .storage"
    assert check.hint.startswith("That is normal if Home Assistant never had any.")
