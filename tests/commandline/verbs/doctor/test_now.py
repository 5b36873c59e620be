"""The doctor reports the current faults of the stores."""

import apsw
import pytest
from msgspec.structs import replace

from engine.commandline.pass_status import status_of
from engine.commandline.verbs.doctor.now import checks_of
from engine.core.records.set_aside import SetAside
from engine.core.state.report import SourceReport
from engine.core.words import GuardName
from tests.commandline.in_process import Reconcile
from tests.commandline.reports import changed, read_report, refusal, removed, replica, report


def test_a_foreign_row_is_reported_with_the_next_step(mirror: Reconcile) -> None:
    mirror()
    assert "ok   drift: sqlite and history as Home Assistant is, 205 records" in mirror("doctor").out
    connection = apsw.Connection("rows.db")
    connection.execute("INSERT INTO devices (device_id, name) VALUES ('mock', 'Sun')")
    connection.close()
    code, out, _ = mirror("doctor")
    assert code == 0
    assert "warn drift: Foreign: 1 record." in out
    assert "`reconcile --prune-foreign`" in out


def test_a_guard_that_speaks_is_reported_with_its_command() -> None:
    reported = report(replicas=(replica(status="blocked", refusals=(refusal(),)),))
    (check,) = checks_of(status_of(reported, 1e9))
    assert (check.name, check.status) == (f"guard {refusal().guard}", "warn")
    assert "raise plan.delete_ratio_max" in check.hint


def test_no_second_read_is_advised_if_a_guard_holds_all_deletes() -> None:
    guarded = (replica(status="blocked", refusals=(refusal(),)),)
    reported = report(removed("Old", outcome="held"), replicas=guarded)
    _, gone = checks_of(status_of(reported, 1e9))
    assert gone.hint == "A guard holds back all these deletes; see above how to allow them."
    waits = report(removed("Old", outcome="held"), removed("Older", outcome="waiting"), replicas=guarded)
    _, gone = checks_of(status_of(waits, 1e9))
    assert "`reconcile --confirm-deletes`" in gone.hint


def test_what_a_guard_holds_is_not_announced_for_the_next_pass() -> None:
    guarded = (replica(status="blocked", refusals=(refusal(),)),)
    _, pending = checks_of(status_of(report(changed("Lamp", outcome="held"), replicas=guarded), 1e9))
    assert pending.hint == "A guard holds back all these changes; see above how to allow them."


def test_rows_that_cannot_be_used_are_the_exception_to_what_is_equal() -> None:
    row = SetAside("device", "", "null", "it is null and no object", position=1)
    (equal,) = checks_of(status_of(report(set_aside=(row,)), 1e9))
    assert equal.message.endswith("183 records, but for 1 row that cannot be used")


def test_what_was_compared_is_named_where_it_is_not_all() -> None:
    (equal,) = checks_of(
        status_of(
            report(source=SourceReport("ws://h", True, "2026.11.0", "RUNNING", 12, ("area", "label"))), 1e9
        )
    )
    assert equal.message.endswith("12 records of area and label")


def observe_drift(mirror: Reconcile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill the stores, only observe from then on, and change a row as another program would."""
    mirror()
    monkeypatch.setenv("RECONCILE_PLAN__MODE", "observe")
    connection = apsw.Connection("rows.db")
    connection.execute("UPDATE areas SET name = 'Other' WHERE area_id = 'kitchen'")
    connection.close()


def test_nothing_is_announced_for_the_next_pass_where_passes_only_observe(
    mirror: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe_drift(mirror, monkeypatch)
    _, out, _ = mirror("doctor")
    assert "warn drift: Drifted: 1 record." in out
    assert "Only observing, so nothing is written" in out
    assert "next pass" not in out
    _, out, _ = mirror("show", "area/kitchen")
    assert "Not written: only observing" in out
    assert "To do it" not in out


def test_where_the_read_is_of_another_home_nothing_is_said_to_be_unreadable() -> None:
    refused = replace(refusal(), guard=GuardName.WRONG_INSTANCE)
    guarded = (replica(status="blocked", refusals=(refused,)),)
    (check,) = checks_of(status_of(report(removed("Old", outcome="held"), replicas=guarded), 1e9))
    assert (check.name, check.status) == ("guard wrong_instance", "fail")


def test_a_plan_for_passes_that_only_observe_asks_for_no_further_pass(
    mirror: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe_drift(mirror, monkeypatch)
    _, out, _ = mirror("--dry-run", "--json")
    assert {record.outcome for record in read_report(out).records} == {"observed"}
