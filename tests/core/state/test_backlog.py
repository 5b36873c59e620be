"""The changed records follow from how snapshots were made, and are never too few."""

from hypothesis import given
from hypothesis import strategies as st

from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Record
from engine.core.records.registries import REGISTRIES
from engine.core.state.backlog import Backlog
from tests.homes import ENTRY, NOON, device, snapshot

ALL = frozenset(REGISTRIES)


def look(before: Snapshot, *records: Record) -> Snapshot:
    rows = [(r, content_hash(r)) for r in records]
    return before.with_changes(rows, [], taken_at=NOON + 1, listed=frozenset())


def read(before: Snapshot, *records: Record) -> Snapshot:
    return before.with_changes([(r, content_hash(r)) for r in records], [], taken_at=NOON + 1)


def offered(*snapshots: Snapshot, taken: int) -> int:
    backlog = Backlog()
    for number, made in enumerate(snapshots):
        backlog.offer(made)
        if number == taken:
            backlog.take()
    return backlog.count(ALL)


FULL = snapshot(ENTRY, device(1), device(2))
ONE = look(FULL, device(1, name="Other"))
TWO = look(ONE, device(2, name="Other"))


def test_what_was_looked_at_since_counts() -> None:
    assert offered(FULL, ONE, TWO, taken=0) == 2
    assert offered(FULL, ONE, TWO, taken=1) == 1
    assert offered(FULL, ONE, TWO, taken=2) == 0


def test_a_record_that_is_as_it_was_again_does_not_count() -> None:
    assert offered(FULL, ONE, look(ONE, device(1)), taken=0) == 0


def test_a_full_read_is_compared_with_the_previous_one_and_later_changes() -> None:
    assert offered(FULL, ONE, FULL, taken=1) == 1
    assert offered(FULL, ONE, read(FULL, device(1, name="Other")), taken=1) == 0
    assert offered(FULL, ONE, read(FULL, device(2, name="New")), taken=1) == 2


def test_a_home_read_from_scratch_is_compared_with_the_last_one_taken() -> None:
    assert offered(FULL, snapshot(ENTRY), taken=0) == 2
    assert offered(FULL, snapshot(ENTRY, device(1), device(2)), taken=0) == 0
    assert offered(FULL, ONE, snapshot(ENTRY, device(1), device(2)), taken=1) == 1
    again = snapshot(ENTRY)
    backlog = Backlog()
    for made in (FULL, again):
        backlog.offer(made)
        backlog.take()
    backlog.offer(look(again, device(3)))
    assert backlog.count(ALL) == 1
    assert backlog.count(frozenset({"area"})) == 0


@given(st.data())
def test_it_counts_the_differences(data: st.DataObject) -> None:
    backlog = Backlog()
    full = newest = taken = FULL
    backlog.offer(full)
    backlog.take()
    for _ in range(data.draw(st.integers(1, 8))):
        record = device(data.draw(st.integers(1, 3)), name=data.draw(st.sampled_from("abc")))
        if data.draw(st.booleans()):
            newest = look(newest, record)
        else:
            full = newest = read(full, record) if data.draw(st.booleans()) else full
        backlog.offer(newest)
        if data.draw(st.booleans()):
            backlog.take()
            taken = newest
        keys = taken.home.hashes.keys() | newest.home.hashes.keys()
        assert backlog.count(ALL) == sum(taken.home.hashes.get(k) != newest.home.hashes.get(k) for k in keys)


def test_a_read_with_an_unknown_base_is_compared_with_the_last_one_taken() -> None:
    assert offered(FULL, read(snapshot(ENTRY, device(5)), device(6)), taken=0) == 4


def test_a_closer_look_may_come_before_any_full_read() -> None:
    assert offered(ONE, TWO, taken=0) == 1


def test_the_backlog_is_zero_before_the_first_take() -> None:
    backlog = Backlog()
    backlog.offer(FULL)
    backlog.offer(ONE)
    assert backlog.count(ALL) == 0, "nothing was taken up before"
