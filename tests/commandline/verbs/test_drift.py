"""`reconcile drift` on a recorded home."""

import sqlite3
from pathlib import Path

from tests.commandline.homes import Home
from tests.commandline.in_process import Reconcile


def test_a_home_in_sync_is_reported_as_such(mirror: Reconcile) -> None:
    mirror()
    code, out, err = mirror("drift", "--detailed-exitcode")
    assert (code, out, err) == (0, "In sync: sqlite and history equal Home Assistant (205 records).\n", "")


def test_a_row_that_someone_changed_is_drift_and_only_reported(
    mirror: Reconcile, home: Home, nobodys_machine: Path
) -> None:
    mirror()
    with sqlite3.connect(nobodys_machine / "rows.db") as rows:
        rows.execute("UPDATE areas SET name = 'Elsewhere' WHERE area_id = 'kitchen'")
    rows.close()
    code, out, _ = mirror("drift", "--detailed-exitcode")
    assert code == 2
    assert "~ change  area/kitchen" in out
    assert "drift: changed in sqlite" in out
    assert 'name: Home Assistant "Kitchen", sqlite "Elsewhere"' in out
    assert mirror("drift").code == 0
    assert mirror("drift", "-q") == (0, "", "")
    assert "1 changed (sqlite)" in mirror().out


def test_a_home_that_cannot_be_read_is_unknown(reconcile: Reconcile) -> None:
    code, out, err = reconcile("drift", "--source", "capture:nowhere", "--records", "none")
    assert code == 1
    assert out.startswith("Unknown: ")
    assert err.startswith("Error: ")
