"""What commands say, and exit with, when Home Assistant cannot be trusted or a store cannot be written."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from engine.replicas.rows.replica import open_rows
from tests.commandline.homes import Home
from tests.commandline.in_process import Reconcile
from tests.examples import first_quick


def configured(**values: object) -> Callable[[Home], None]:
    """A home whose `get_config` says this."""

    def change(home: Home) -> None:
        path = home.folder / "get_config.json"
        answer: dict[str, Any] = json.loads(path.read_bytes())
        answer.get("result", answer).update(values)
        path.write_text(json.dumps(answer))

    return change


def corrupt(home: Home) -> None:
    issue = {
        "domain": "homeassistant",
        "issue_id": "storage_corruption_core.label_registry_2026-11-29",
        "translation_key": "storage_corruption",
        "translation_placeholders": {"storage_key": "core.label_registry"},
    }
    (home.folder / "repairs_list_issues.json").write_text(json.dumps({"issues": [issue]}))


def without_labels_read(home: Home) -> None:
    (home.folder / "label_registry_list.json").unlink()


def of_another_home(home: Home) -> None:
    home.edit("config_entries_get", lambda rows: [row.update(entry_id=f"x{row['entry_id']}") for row in rows])


def without_devices(home: Home) -> None:
    home.edit("device_registry_list", lambda rows: rows.clear())


def with_less(change: Callable[[Home], None]) -> Callable[[Home], None]:
    def both(home: Home) -> None:
        change(home)
        home.remove_label()

    return both


class Codes(NamedTuple):
    """The exit codes of commands in one state."""

    drift: int  # drift
    drift_detailed: int  # drift --detailed-exitcode
    plan: int  # --dry-run
    detailed: int  # --detailed-exitcode, which writes
    doctor: int


STATES: dict[str, tuple[Callable[[Home], None], Codes]] = {
    "equal": (lambda _: None, Codes(0, 0, 0, 0, 0)),
    "recovery mode": (configured(recovery_mode=True), Codes(0, 3, 3, 3, 1)),
    "recovery mode, with less": (with_less(configured(recovery_mode=True)), Codes(0, 3, 3, 3, 1)),
    # Everything is listed, so there is nothing to doubt.
    "starting": (configured(state="NOT_RUNNING"), Codes(0, 0, 0, 0, 0)),
    "starting, with less": (with_less(configured(state="NOT_RUNNING")), Codes(0, 2, 3, 3, 0)),
    "a corrupt store": (corrupt, Codes(0, 0, 0, 0, 1)),
    "a corrupt store, with less": (with_less(corrupt), Codes(0, 2, 3, 3, 1)),
    "no devices": (without_devices, Codes(0, 2, 3, 3, 0)),
    "a registry that was not read": (without_labels_read, Codes(0, 3, 3, 3, 0)),
    "another home": (of_another_home, Codes(0, 3, 3, 3, 1)),
}


@pytest.mark.parametrize("state", first_quick(STATES, 3))
def test_a_doubtful_state_has_its_exit_code_and_claims_nothing(
    state: str, mirror: Reconcile, home: Home
) -> None:
    mirror()
    change, codes = STATES[state]
    change(home)
    answers = {
        "drift": mirror("drift"),
        "drift_detailed": mirror("drift", "--detailed-exitcode"),
        "plan": mirror("--dry-run"),
        "detailed": mirror("--detailed-exitcode"),
        "doctor": mirror("doctor"),
    }
    assert Codes(**{name: answer.code for name, answer in answers.items()}) == codes
    quiet = mirror("drift", "-q", "--detailed-exitcode")
    assert (quiet.code, quiet.out) == (codes.drift_detailed, "")
    assert ("Refused by" in quiet.err) == (codes.plan == 3)
    if state == "recovery mode":
        assert "Refused by recovery_mode: any change would be held back in sqlite.\n" in quiet.err
    elif state == "a registry that was not read":
        assert "Refused by registry_unread: not all of sqlite was compared.\n" in quiet.err
    told = "\n".join([*(answer.out + answer.err for answer in answers.values()), quiet.err])
    assert not re.search(r"\b0 (operations|changes|records|rows)\b|\bNone\b", told)
    if codes.drift_detailed != 0:
        assert "In sync" not in told
        assert "exactly what" not in told


@pytest.mark.parametrize("state", ["recovery mode", "recovery mode, with less", "another home"])
def test_where_nothing_counts_the_last_line_says_only_that(state: str, mirror: Reconcile, home: Home) -> None:
    mirror()
    STATES[state][0](home)
    guard = "wrong_instance" if state == "another home" else "recovery_mode"
    last = mirror("drift").out.splitlines()[-1]
    assert last == f"Refused by {guard}, so nothing that was compared counts."
    shown = mirror("show", "area/kitchen").out
    assert "Not known now" in shown


_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def locked(nobodys_machine: Path) -> Iterator[Callable[[], None]]:
    """Has another program hold the rows file's lock: one of this process would not conflict."""
    holders: list[subprocess.Popen[str]] = []

    def lock() -> None:
        command = [sys.executable, "-c", _HOLD, str(nobodys_machine / "rows.db")]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holders.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"

    yield lock
    for holder in holders:
        holder.communicate("")


def test_a_ledger_that_is_locked_can_be_compared_and_not_be_written(
    mirror: Reconcile, home: Home, locked: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror()
    home.remove_label()
    locked()
    monkeypatch.setattr(
        "engine.replicas.rows.replica.open_rows", partial(open_rows, busy_timeout_seconds=0.01)
    )
    assert mirror("drift", "--detailed-exitcode").code == 2
    code, out, err = mirror("--detailed-exitcode")
    assert code == 1
    assert "locked" in err
    assert "Applied" not in out
