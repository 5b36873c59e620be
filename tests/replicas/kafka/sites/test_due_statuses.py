"""When a status is sent: at once when it is new, not too often when it changes, and as a heartbeat when it does not."""

from itertools import pairwise
from typing import Any

from msgspec.structs import replace

from engine.core.words import SyncStatus
from engine.replicas.kafka.sites.due_statuses import DueStatuses
from engine.replicas.kafka.sites.site_status import HEARTBEAT_SECONDS, PAUSE_SECONDS, SiteStatus

HOME = SiteStatus(site="s1", owner="a", claim=1, stage="kept", status=SyncStatus.IN_SYNC, ts_ms=1)


def sends(due: DueStatuses, until: int, **moving: Any) -> list[int]:
    """The seconds at which a home is sent if it is checked every second."""
    return [at for at in range(until) if due.take(replace(HOME, ts_ms=at, **moving), at)]


def test_a_home_that_stays_as_it_is_is_sent_at_least_once_a_minute() -> None:
    sent = sends(DueStatuses(), 600, synced_ms=5)
    assert sent[0] == 0
    gaps = [after - before for before, after in pairwise(sent)]
    assert all(HEARTBEAT_SECONDS / 2 < gap <= HEARTBEAT_SECONDS for gap in gaps)


def test_times_that_always_move_are_no_news() -> None:
    due = DueStatuses()
    found = [at for at in range(40) if due.take(replace(HOME, ts_ms=at, synced_ms=at, heard_ms=at), at)]
    assert found == [0]


def test_a_change_is_sent_but_not_too_often() -> None:
    due = DueStatuses()
    found = [at for at in range(11) if due.take(replace(HOME, pending=at), at)]
    assert found == [0, PAUSE_SECONDS, 2 * PAUSE_SECONDS]


def test_another_claim_is_sent_at_once() -> None:
    due = DueStatuses()
    assert due.take(HOME, 0)
    assert due.take(replace(HOME, claim=2), 0)
    assert due.last("s1") == replace(HOME, claim=2)


def test_homes_that_begin_together_do_not_stay_together() -> None:
    due = DueStatuses()
    again = {
        next(at for at in range(1, 100) if due.take(replace(HOME, site=site), at))
        for site in (f"s{number}" for number in range(30))
        if due.take(replace(HOME, site=site), 0)
    }
    assert len(again) > 5


def test_after_doubt_and_forgetting_all_is_due() -> None:
    due = DueStatuses()
    due.take(HOME, 0)
    due.doubt()
    assert due.take(HOME, 1)
    due.forget("s1")
    assert due.last("s1") is None
    assert due.take(HOME, 1)
