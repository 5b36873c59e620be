"""Parts of a timeline, with its revisions arriving in any order, and the home in the past."""

import pytest

from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.replicas.influx.past import newest_of, page_of
from tests.fakes.influx_stand import DAY, HOME, Stand
from tests.homes import NOON, entity, snapshot

KEY = Key("device", "d1")
SHUFFLED = [Revision(KEY, 100.0 + rev, "update", rev, f"1:{rev}", "run", {}) for rev in (3, 1, 5, 2, 4)]


def test_a_page_begins_behind_a_revision_and_ends_at_its_limit() -> None:
    assert [r.rev for r in page_of(SHUFFLED, 2, 2)] == [3, 4]
    assert [r.rev for r in page_of(SHUFFLED, 0, None)] == [1, 2, 3, 4, 5]
    assert page_of(SHUFFLED, 5, 10) == []


def test_the_newest_come_oldest_first() -> None:
    assert [r.rev for r in newest_of(SHUFFLED, 2, None)] == [4, 5]
    assert [r.rev for r in newest_of(SHUFFLED, 2, 4)] == [2, 3]
    assert newest_of(SHUFFLED, 2, 1) == []


@pytest.mark.slow
def test_the_home_as_of_a_time_sees_runs_whole(stand: Stand) -> None:
    many = [entity(n) for n in range(3000)]  # their points are three milliseconds apart
    stand.reconcile(*many)
    stand.reconcile(*many[:10], after=60)
    assert stand.replica.as_of(NOON - 1) == {}
    assert len(stand.replica.as_of(NOON)) == 3000
    assert len(stand.replica.as_of(NOON + 59)) == 3000
    now = stand.replica.as_of(NOON + 60)
    assert {key: revision.hash for key, revision in now.items()} == snapshot(*many[:10]).home.hashes
    assert list(now) == sorted(now)


def test_the_window_of_the_past_is_found_for_as_of(stand: Stand) -> None:
    for _ in range(40):
        stand.reconcile(*HOME, after=DAY)
    stand.wire.scans.clear()
    assert len(stand.replica.as_of(NOON + 20 * DAY)) == 4
    assert stand.wire.scans[-1].start_ns > (NOON + 12 * DAY) * 1e9
