"""When a record that is missing now was last listed, whatever the reads in between looked like."""

from itertools import pairwise

import pytest

from engine.core.home import last_seen
from engine.core.home.last_seen import LastSeen
from engine.core.home.snapshot import Snapshot, make_snapshot
from engine.core.records.record import Key, Record
from engine.core.records.registries import REGISTRIES
from engine.core.records.set_aside import SetAside
from tests.homes import ENTRY, NOON, device, entity

KEY = device(1).key


def read(*records: Record, odd: tuple[SetAside, ...] = ()) -> Snapshot:
    return make_snapshot(
        records=records, taken_at=NOON, origin="test", registries=frozenset(REGISTRIES), set_aside=odd
    )


def after(*reads: Snapshot, seen: LastSeen = LastSeen()) -> LastSeen:  # noqa: B008 (immutable)
    """What is known after reads a minute apart, of which the first is at noon."""
    for number, (before, then) in enumerate(pairwise(reads)):
        changed = before.home.records.keys() ^ then.home.records.keys()
        seen = seen.after(before.home, then.home, changed, NOON + 60 * number)
    return seen


HOME, LESS = read(ENTRY, device(1)), read(ENTRY)
ODD = SetAside("device", "name", "number", "its name is a number", device(1).id)
UNNAMED = SetAside("device", "id", "number", "its id is a number", position=1)


def test_a_record_was_seen_until_a_read_lacks_it() -> None:
    seen = after(HOME, HOME, LESS, LESS)
    assert (seen.at(KEY), seen.at(ENTRY.key), bool(seen)) == (NOON + 60, None, True)
    assert after(LESS, HOME, LESS, HOME, LESS).at(KEY) == NOON + 180


def test_nothing_is_known_of_records_that_are_listed_or_never_were() -> None:
    assert not after(LESS, LESS)
    assert after(HOME, LESS, HOME).records == {}
    kept = after(read(ENTRY, device(1), device(2)), LESS, read(ENTRY, device(2)))
    assert set(kept.records) == {KEY}


def test_a_row_that_cannot_be_used_is_its_record() -> None:
    odd = read(ENTRY, odd=(ODD,))
    assert after(HOME, odd).records == {}
    assert after(HOME, odd, LESS).at(KEY) == NOON + 60
    assert after(LESS, odd, LESS).at(KEY) == NOON + 60
    assert after(HOME, LESS, odd).records == {}


def test_a_row_without_an_id_may_have_been_any_record_of_its_registry() -> None:
    odd = read(ENTRY, odd=(UNNAMED,))
    seen = after(LESS, odd, LESS)
    assert (seen.at(KEY), seen.at(Key("area", "attic")), bool(seen)) == (NOON + 60, None, True)
    moved = read(ENTRY, odd=(SetAside("device", "id", "number", "its id is a number", position=7),))
    assert not after(LESS, odd, moved), "it is still there"
    assert after(HOME, LESS, odd, LESS).at(KEY) == NOON + 120, "the later time"


def test_it_finds_the_keys_that_it_knows_of() -> None:
    keys = {KEY, ENTRY.key, entity(1).key}
    assert after(HOME, LESS).among(keys) == {KEY}
    assert after(LESS, read(ENTRY, odd=(UNNAMED,)), LESS).among(keys) == {KEY}
    both = LastSeen({entity(1).key: NOON}, {"device": NOON})
    assert both.among(keys) == {KEY, entity(1).key}


def test_beyond_a_bound_every_record_counts_as_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_seen, "RECORDS_MAX", 1)
    assert set(after(HOME, LESS).records) == {KEY}
    seen = after(read(ENTRY, device(1), device(2)), LESS)
    assert (seen.records, seen.at(entity(9).key)) == ({}, NOON)
    assert set(seen.registries) == set(REGISTRIES)
