"""The verdict on a record agrees with status and drift, and is never better."""

from typing import Any

import msgspec
import pytest

from engine.core.compare.diff import Cause
from engine.core.records.record import Key
from engine.core.records.registries import REGISTRIES
from engine.core.records.set_aside import SetAside
from engine.core.state.advice import GUARDS, KINDS
from engine.core.state.intervals import Freshness
from engine.core.state.record_states import LABELS, State
from engine.core.state.record_verdict import RecordVerdict, Verdicts, basis_of
from engine.core.state.report import RefusalReport, Report, SourceReport
from engine.core.state.status import ReplicaStatus, SourceStatus, Status
from engine.core.words import GuardName, SyncStatus
from tests.commandline.reports import added, changed, foreign, removed, replica, report

NOW = 1000.0
FRESHNESS = Freshness(stale_seconds=1200.0, unknown_seconds=60.0)
READ = SourceReport("ws://home", True, "2026.11.0", "RUNNING", 183, REGISTRIES)


def status(reported: Report | None, *replicas: ReplicaStatus, **given: Any) -> Status:
    own = replicas or tuple(
        ReplicaStatus(r.replica, r.status, synced_at=NOW, compared_at=NOW)
        for r in (reported.replicas if reported else ())
    )
    return Status("home", "1", 0.0, SourceStatus("ws://home", True), own, reported, **given)


def verdict(
    reported: Report | None, key: str = "lamp", *replicas: ReplicaStatus, **given: Any
) -> RecordVerdict:
    return Verdicts(status(reported, *replicas), NOW, FRESHNESS).of(Key("device", key), **given)


def out_of_sync(*records: Any, **given: Any) -> Report:
    return report(*records, **{"replicas": (replica(status="out_of_sync"),), "source": READ, **given})


@pytest.mark.parametrize(
    ("difference", "state", "cause", "reason"),
    [
        (foreign("Lamp"), State.FOREIGN, "foreign", "Only sqlite has it"),
        (
            changed("Lamp", ("name", "Old", "New"), cause=Cause.DRIFT),
            State.DRIFTED,
            "drift",
            "Another program changed it in sqlite",
        ),
        (changed("Lamp", cause=Cause.CONFLICT), State.DRIFTED, "conflict", "Home Assistant wins"),
        (added("Lamp", cause=Cause.DRIFT), State.MISSING, "drift", "Another program deleted it from sqlite"),
        (added("Lamp"), State.MISSING, "pending", "Home Assistant has it, sqlite does not yet"),
        (changed("Lamp"), State.PENDING, "pending", "sqlite does not hold the change yet"),
        (removed("Lamp", outcome="waiting"), State.GONE, "pending", "Home Assistant does not list it"),
    ],
)
def test_each_kind_of_difference_has_its_state(
    difference: Any, state: State, cause: str, reason: str
) -> None:
    found = verdict(out_of_sync(difference))
    assert (found.state, found.cause, found.since) == (state, cause, difference.since)
    assert reason in found.reasons[0]
    assert found.next.endswith(".")
    assert found.command


def test_no_command_resolves_a_delete_that_waits_for_a_newer_backup() -> None:
    looked, backed = (
        removed("Lamp", outcome="waiting", waits_for_backup=waits_for_backup)
        for waits_for_backup in (False, True)
    )
    assert verdict(out_of_sync(looked)).of_row(NOW - 3600).command is not None
    assert verdict(out_of_sync(backed)).of_row(NOW - 3600).command is None


def test_a_lost_record_is_gone_since_it_was_missed_and_not_since_it_was_written() -> None:
    waiting = removed("Lamp", outcome="waiting")
    assert verdict(out_of_sync(waiting)).of_row(NOW - 3600).since == waiting.since


def test_a_record_in_no_store_is_gone_since_its_last_version() -> None:
    gone = Verdicts(status(out_of_sync()), NOW, FRESHNESS).of(Key("device", "lamp"), has_row=False)
    assert (gone.state, gone.cause, gone.command, gone.differs) == (State.GONE, None, None, ())
    assert gone.reasons == ("Neither Home Assistant nor a store has it any more.",)
    assert gone.next == "Nothing is to be done."
    assert gone.of_row(NOW - 3600).since == NOW - 3600


def test_two_records_of_one_name_are_distinguished() -> None:
    reported = out_of_sync(foreign("Sun", key="mock"))
    verdicts = Verdicts(status(reported), NOW, FRESHNESS)
    real = verdicts.of(Key("device", "real")).of_row(NOW - 60)
    assert (verdicts.of(Key("device", "mock")).state, real.state) == (State.FOREIGN, State.REAL)
    assert (real.since, real.cause, real.differs, real.command) == (NOW - 60, None, (), None)


def test_what_differs_is_reported_field_by_field_for_each_replica() -> None:
    reported = out_of_sync(
        changed("Lamp", ("name", "Old", "New"), cause=Cause.DRIFT),
        changed("Lamp", ("model", None, "X"), replica="history"),
        replicas=(replica(status="out_of_sync"), replica("history", status="out_of_sync")),
    )
    found = verdict(reported)
    assert found.state is State.DRIFTED, "the most alarming of its replicas"
    assert [msgspec.structs.astuple(d) for d in found.differs] == [
        ("sqlite", "name", "New", "Old"),
        ("history", "model", "X", None),
    ]
    assert (
        found.next
        == "sqlite: will be written with the next pass; history: will be written with the next pass."
    )


LOST = ReplicaStatus("sqlite", SyncStatus.IN_SYNC, synced_at=NOW, compared_at=NOW, unproven_since=990.0)
STALE = ReplicaStatus("sqlite", SyncStatus.IN_SYNC, synced_at=NOW - 100, compared_at=NOW - 100)
FAILED = ReplicaStatus(
    "sqlite", SyncStatus.UNKNOWN, status_since=990.0, compared_at=NOW, error="database is locked"
)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (LOST, "Home Assistant was lost"),
        (STALE, "last proven equal too long ago"),
        (FAILED, "database is locked"),
        (ReplicaStatus("sqlite", SyncStatus.UNKNOWN), "nothing was compared yet"),
    ],
)
def test_while_its_replica_is_unknown_a_record_is_not_known(given: ReplicaStatus, reason: str) -> None:
    reported = out_of_sync(foreign("Sun", key="mock"))
    real, mock = verdict(reported, "real", given), verdict(reported, "mock", given)
    assert (real.state, mock.state) == (State.UNKNOWN, State.UNKNOWN)
    assert reason in real.reasons[0]
    assert "When last compared: Only sqlite has it." in mock.reasons
    assert mock.differs == ()


def test_a_replica_that_is_unknown_hides_no_difference_of_another() -> None:
    reported = out_of_sync(foreign("Sun", key="mock"))
    known = ReplicaStatus("sqlite", SyncStatus.OUT_OF_SYNC, compared_at=NOW)
    verdicts = Verdicts(
        status(reported, known, ReplicaStatus("influxdb", SyncStatus.UNKNOWN, error="away")), NOW, FRESHNESS
    )
    assert verdicts.of(Key("device", "mock")).state is State.FOREIGN
    assert verdicts.of(Key("device", "real")).state is State.UNKNOWN


def test_nothing_compared_yet_is_not_known() -> None:
    assert verdict(None).state is State.UNKNOWN


@pytest.mark.parametrize("guard", ["recovery_mode", "wrong_instance"])
def test_a_read_of_another_home_leaves_every_record_unknown(guard: str) -> None:
    refused = replica(status="blocked", refusals=(RefusalReport(GuardName(guard), "m", "h", 1),))
    reported = out_of_sync(removed("Lamp", outcome="held"), replicas=(refused,))
    for key in ("lamp", "other"):
        found = verdict(reported, key)
        assert found.state is State.UNKNOWN
        assert GUARDS[GuardName(guard)].title in found.reasons[0]
        assert (found.next, found.command) == (
            GUARDS[GuardName(guard)].action,
            GUARDS[GuardName(guard)].command,
        )
    lost = ReplicaStatus("sqlite", SyncStatus.BLOCKED, compared_at=NOW, unproven_since=NOW)
    assert verdict(reported, "lamp", lost).next == KINDS["unknown"].action


def test_what_a_guard_holds_names_the_guard_and_its_command() -> None:
    refusal = RefusalReport(GuardName.DELETE_RATIO, "m", "h", 412, "reconcile --max-delete 412")
    reported = out_of_sync(
        removed("Lamp", outcome="held"), replicas=(replica(status="blocked", refusals=(refusal,)),)
    )
    found = verdict(reported)
    assert (found.state, found.command) == (State.GONE, "reconcile --max-delete 412")
    assert found.next == "Held back by a guard (delete_ratio)."


def test_a_record_of_a_registry_that_was_not_read_is_not_known() -> None:
    source = msgspec.structs.replace(READ, registries=("entity",))
    assert verdict(report(source=source)).state is State.UNKNOWN


def test_a_change_that_no_report_knows_of_is_pending() -> None:
    changing = ReplicaStatus(
        "sqlite",
        SyncStatus.IN_SYNC,
        synced_at=NOW,
        compared_at=NOW,
        pending=1,
        pending_since=NOW,
        changed=frozenset({Key("device", "lamp")}),
    )
    assert verdict(report(source=READ), "lamp", changing).state is State.PENDING
    assert verdict(report(source=READ), "other", changing).state is State.REAL


def test_a_record_set_aside_names_the_row_it_may_belong_to() -> None:
    row = SetAside("device", "id", "number", "its name is a number", id="lamp")
    kept = replica(kept=("device/shade",))
    reported = report(source=READ, set_aside=(row,), replicas=(kept,))
    assert verdict(reported).state is State.SET_ASIDE
    assert "its name is a number" in verdict(reported).reasons[0]
    assert verdict(reported, "shade").state is State.SET_ASIDE
    assert verdict(reported, "other").state is State.REAL
    by_name = SetAside("entity", "id", "null", "its id is missing", entity_id="light.a")
    verdicts = Verdicts(status(report(source=READ, set_aside=(by_name,))), NOW, FRESHNESS)
    assert verdicts.of(Key("entity", "e1"), entity_id="light.a").state is State.SET_ASIDE


def test_an_applied_difference_is_none() -> None:
    assert verdict(report(changed("Lamp", outcome="applied"), source=READ)).state is State.REAL


def test_the_basis_changes_only_with_the_known_state() -> None:
    reported = report(source=READ)
    before = basis_of(status(reported), NOW, FRESHNESS)
    assert basis_of(status(report(source=READ)), NOW + 5, FRESHNESS) == before
    assert basis_of(status(reported), NOW + 100, FRESHNESS) != before, "too old by now"
    assert basis_of(status(out_of_sync(foreign("Sun"))), NOW, FRESHNESS) != before


def test_every_state_has_a_label_and_advice() -> None:
    assert set(LABELS) == set(State)
    assert set(KINDS) == {str(state) for state in State}


def test_a_file_does_not_speak_for_home_assistant() -> None:
    reported = report(source=SourceReport("records (history)", True, records=183))
    assert verdict(reported).reasons == ("Every store holds exactly what records (history) has.",)


def test_records_that_may_have_another_verdict_are_singled_out() -> None:
    reported = out_of_sync(
        foreign("Lamp"),
        set_aside=(SetAside("entity", "id", "null", "it has no id", entity_id="light.odd"),),
        replicas=(replica(status="out_of_sync", kept=("device/kept",)),),
    )
    verdicts = Verdicts(status(reported), NOW, FRESHNESS)
    assert verdicts.singled_out("device") >= {reported.records[0].key, "kept"}
    assert "light.odd" in verdicts.singled_out("entity")
    assert reported.records[0].key not in verdicts.singled_out("entity")
