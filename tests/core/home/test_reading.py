"""The reading: the time up to which it is true, when each registry was listed, and the reported removals."""

from engine.core.home.reading import Reading
from engine.core.home.unread import Unread
from engine.core.records.content_hash import content_hash
from tests.homes import ENTRY, NOON, device, entity, snapshot


def test_what_comes_back_is_no_longer_removed() -> None:
    gone = snapshot(entity(1)).with_changes(
        [], [entity(1).key], taken_at=1.0, removed=frozenset({entity(1).key})
    )
    assert gone.reading.removed == {entity(1).key}
    back = gone.with_changes([(entity(1), content_hash(entity(1)))], [], taken_at=2.0)
    assert back.reading.removed == frozenset()


def test_a_look_at_a_part_says_since_when_the_rest_is_known() -> None:
    first = snapshot(ENTRY, device(1), at=NOON)
    later = first.with_changes([], [], taken_at=NOON + 9, true_at=NOON + 1, listed=frozenset({"device"}))
    last = later.with_changes([], [], taken_at=NOON + 20, listed=frozenset())
    assert (later.reading.true_at, last.reading.true_at) == (NOON + 1, NOON + 20)
    assert [s.reading.listed_at("device") for s in (first, later, last)] == [NOON, NOON + 9, NOON + 9]
    assert [s.reading.listed_at("entity") for s in (first, later, last)] == [NOON, NOON, NOON]
    assert last.with_changes([], [], taken_at=NOON + 30).reading.listed_at("entity") == NOON + 30
    part = later.only(frozenset({"entity"}))
    assert (part.reading.true_at, part.reading.listed_at("entity")) == (NOON + 1, NOON)


def test_what_was_not_read_can_be_taken_for_empty() -> None:
    unread = Unread({"label": "its file is missing"})
    reading = Reading(taken_at=NOON, origin="test", registries=frozenset({"device"}), unread=unread)
    empty = reading.with_unread_as_empty()
    assert (set(empty.registries), empty.unread) == ({"device", "label"}, Unread())
    assert reading.only(frozenset({"label"})).registries == frozenset()
    assert reading.only(frozenset({"label"})).unread == unread
    assert reading.only(frozenset({"device"})).unread == Unread()
