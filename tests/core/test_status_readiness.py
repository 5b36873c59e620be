"""Whether readers may rely on a replica in which deletes wait for their second look."""

from typing import Any

import pytest
from msgspec.structs import replace

from engine.core.records.record import Key
from engine.core.state.intervals import Freshness
from engine.core.state.status import ReplicaStatus, why_not_ready
from engine.core.words import SyncStatus
from tests.commandline.reports import changed, report

FRESHNESS = Freshness(stale_seconds=20.0, unknown_seconds=5.0, unverified_seconds=12.0)
WAITING = ReplicaStatus("a", SyncStatus.OUT_OF_SYNC, compared_at=99.0, pending=2, pending_since=20.0)
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
