"""Whether readers may rely on a replica in which deletes wait for their second look, or rows were not compared."""

from typing import Any

import pytest
from msgspec.structs import replace

from engine.core.records.record import Key
from engine.core.records.set_aside import SetAside
from engine.core.state.intervals import Freshness
from engine.core.state.report import Counts, RefusalReport
from engine.core.state.status import (
    ReplicaStatus,
    SourceStatus,
    Status,
    known_until,
    why_not_ready,
    why_unknown,
)
from engine.core.words import GuardName, SyncStatus
from tests.commandline.reports import changed, replica, report

FRESHNESS = Freshness(stale_seconds=20.0, unknown_seconds=5.0, unverified_seconds=12.0)
WAITING = ReplicaStatus("a", SyncStatus.OUT_OF_SYNC, compared_at=99.0, pending=2, pending_since=20.0)
IN_SYNC = ReplicaStatus("a", SyncStatus.IN_SYNC, compared_at=90.0, synced_at=98.0)
WAITS = changed("Lamp", replica="a", outcome="waiting")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"unread_since": 98.0}, None),
        ({"unread_since": 97.9}, "Home Assistant announced a change, and it was not read yet"),
        ({"changed_since": 95.0, "changed": frozenset({Key("device", "d")})}, None),
        (
            {"changed_since": 94.9, "changed": frozenset({Key("device", "d")})},
            "1 change could not be written for too long",
        ),
        ({"verified_at": 88.0}, None),
        ({"verified_at": 87.9}, "not looked at for too long"),
    ],
)
def test_beside_a_delete_that_waits_nothing_else_may_be_late(
    changes: dict[str, Any], why: str | None
) -> None:
    assert why_not_ready(replace(WAITING, **changes), report(WAITS), 100.0, FRESHNESS) == why


def test_where_nothing_is_written_no_delete_waits_for_a_second_look() -> None:
    observed = report(WAITS, mode="observe")
    assert (
        why_not_ready(WAITING, observed, 100.0, FRESHNESS) == "it is known to differ in 1 record (1 waiting)"
    )


@pytest.mark.parametrize(
    ("status", "records", "kept", "why"),
    [
        # In sync but for rows that account for each other.
        (WAITING, (WAITS,), 1, None),
        (WAITING, (WAITS,), 3, "3 rows were not compared"),
        (replace(WAITING, pending=0, pending_since=None), (), 3, "3 rows were not compared"),
        (replace(WAITING, pending=0, pending_since=None), (), 1, "1 row was not compared"),
    ],
)
def test_rows_that_were_not_compared_are_the_reason_and_not_zero_changes(
    status: ReplicaStatus, records: tuple[Any, ...], kept: int, why: str | None
) -> None:
    made = report(
        *records,
        replicas=(replica("a", status="out_of_sync", counts=Counts(kept=kept)),),
        set_aside=(SetAside("device", "", "null", "it is null and no object", position=1),),
    )
    found = why_not_ready(status, made, 100.0, FRESHNESS)
    assert found == why or (why is not None and found is not None and found.startswith(why))


def test_a_comparison_with_another_home_makes_no_later_time_known() -> None:
    refusal = RefusalReport(GuardName.WRONG_INSTANCE, "another", "accept it", 3)
    refused = report(replicas=(replica("a", status="blocked", refusals=(refusal,)),))
    blocked = replace(WAITING, status=SyncStatus.BLOCKED, synced_at=50.0, report=refused)
    status = Status("home", "1", 40.0, SourceStatus("x", connected=True), (blocked,))
    assert known_until(status, "a", FRESHNESS) == (50.0, 0.0)
    never = replace(status, replicas=(replace(blocked, synced_at=None),))
    assert known_until(never, None, FRESHNESS) == (40.0, 0.0)
    assert known_until(status, "b", FRESHNESS) is None


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({}, (95.0, 60.0)),
        ({"unproven_since": 99.0}, (95.0, 4.0)),
        ({"unread_since": 97.0}, (97.0, 2.0)),
        ({"changed_since": 98.0}, (98.0, 0.0)),
        ({"pending_since": 96.0, "error": "it is locked"}, (96.0, 0.0)),
        ({"pending_since": 96.0}, (95.0, 60.0)),  # deletes that wait for their second look
    ],
)
def test_no_time_after_an_unwritten_change_is_known(
    changes: dict[str, Any], known: tuple[float, float]
) -> None:
    proven = replace(IN_SYNC, synced_at=95.0, **changes)
    status = Status("home", "1", 40.0, SourceStatus("x", connected=True), (proven,))
    freshness = Freshness(stale_seconds=600.0, unknown_seconds=60.0, unread_seconds=2.0)
    assert known_until(status, proven.replica, freshness) == known


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "last proven equal too long ago"),  # Home Assistant has not answered since
        ({"compared_at": 82.0}, "not looked at for too long"),
        ({"verified_at": 70.0}, "not looked at for too long"),
        ({"verified_at": 95.0}, "last proven equal too long ago"),
        # Announced just now, which is not why.
        ({"synced_at": 90.0, "unread_since": 99.0}, "last proven equal too long ago"),
    ],
)
def test_what_expired_first_is_why_a_replica_is_unknown(changes: dict[str, Any], why: str) -> None:
    freshness = replace(FRESHNESS, unverified_seconds=30.0)
    assert why_unknown(replace(IN_SYNC, **changes), freshness) == f"unknown: {why}"
