"""The three-way comparison, case by case."""

import pytest

from engine.core.compare.diff import IN_PROGRESS, Cause, Diff, Kind, adopt, compare
from engine.core.records.record import Key
from engine.core.records.registries import REGISTRIES
from tests.homes import entity

K = Key("device", "x")
ALL = frozenset(REGISTRIES)


def differ(desired: str | None, observed: str | None, applied: str | None) -> Diff:
    d, o, a = ({} if version is None else {K: version} for version in (desired, observed, applied))
    return compare(d, o, a, ALL)


@pytest.mark.parametrize(
    ("desired", "observed", "applied", "cause", "kind"),
    [
        ("new", "old", "old", Cause.PENDING, Kind.STALE),
        ("new", "old", None, Cause.PENDING, Kind.STALE),
        ("new", None, None, Cause.PENDING, Kind.MISSING),
        (None, "old", "old", Cause.PENDING, Kind.ORPHANED),
        ("same", "edited", "same", Cause.DRIFT, Kind.STALE),
        ("same", None, "same", Cause.DRIFT, Kind.MISSING),
        ("new", "edited", "old", Cause.CONFLICT, Kind.STALE),
        ("new", None, "old", Cause.CONFLICT, Kind.MISSING),
        (None, "edited", "old", Cause.CONFLICT, Kind.ORPHANED),
        (None, "odd", None, Cause.FOREIGN, Kind.ORPHANED),
        ("new", None, IN_PROGRESS, Cause.PENDING, Kind.MISSING),
        ("old", "new", IN_PROGRESS, Cause.PENDING, Kind.STALE),
        (None, "new", IN_PROGRESS, Cause.PENDING, Kind.ORPHANED),
    ],
)
def test_every_difference_has_one_cause(
    desired: str | None, observed: str | None, applied: str | None, cause: Cause, kind: Kind
) -> None:
    (found,) = differ(desired, observed, applied).differences
    assert (found.cause, found.kind) == (cause, kind)
    assert (found.desired, found.observed, found.applied) == (desired, observed, applied)


@pytest.mark.parametrize(
    ("desired", "observed", "applied", "settled"),
    [
        ("same", "same", "same", ()),
        ("same", "same", "old", ((K, "same"),)),
        ("same", "same", None, ((K, "same"),)),
        (None, None, "old", ((K, None),)),
        (None, None, None, ()),
        ("same", "same", IN_PROGRESS, ((K, "same"),)),
        (None, None, IN_PROGRESS, ((K, None),)),
    ],
)
def test_agreement_needs_at_most_bookkeeping(
    desired: str | None, observed: str | None, applied: str | None, settled: tuple[object, ...]
) -> None:
    found = differ(desired, observed, applied)
    assert not found.differences
    assert found.settled == settled


def test_registries_that_were_not_read_are_not_compared() -> None:
    assert not compare({}, {K: "o"}, {K: "o"}, frozenset({"entity"})).differences


def test_kept_or_unread_records_hide_no_other_difference() -> None:
    kept, unread, other = Key("area", "a"), Key("category", "a"), Key("entity", "a")
    registries = frozenset({"area", "entity"})
    found = compare({}, dict.fromkeys((kept, unread, other), "o"), {}, registries, kept=frozenset({kept}))
    assert [d.key for d in found.differences] == [other]


def test_differences_come_sorted() -> None:
    keys = [Key("entity", "b"), Key("device", "z"), Key("entity", "a")]
    found = compare(dict.fromkeys(keys, "1"), {}, {}, ALL)
    assert [d.key for d in found.differences] == sorted(keys)


def test_a_difference_that_is_the_same_again_is_taken_over_and_no_other() -> None:
    keys = [Key("device", name) for name in "abcd"]
    wanted, held, booked = {keys[0]: "1"}, dict.fromkeys(keys, "2"), dict.fromkeys(keys, "2")
    first = {d.key: d for d in compare(wanted, held, booked, ALL).differences}
    later = ({keys[0]: "3"}, {**held, keys[1]: "4"}, {**booked, keys[2]: "5"})
    again = compare(*later, ALL, known=first)
    assert again == compare(*later, ALL)
    assert [d is first[d.key] for d in again.differences] == [False, False, False, True]


def test_a_row_known_by_its_entity_id_is_adopted_by_the_entity_that_has_it() -> None:
    lamp = entity(1, entity_id="light.a")
    bare = Key("entity", "light.a")
    versions, aliases = adopt({bare: "v", K: "w"}, {lamp.key: lamp})
    assert versions == {lamp.key: "v", K: "w"}
    assert aliases == {lamp.key: bare}


def test_a_row_is_not_adopted_when_the_entity_has_its_own() -> None:
    lamp = entity(1, entity_id="light.a")
    bare = Key("entity", "light.a")
    versions, aliases = adopt({bare: "v", lamp.key: "w"}, {lamp.key: lamp})
    assert versions == {bare: "v", lamp.key: "w"}
    assert aliases == {}


def test_a_first_fill_is_compared_as_any_other_pass() -> None:
    found = {Key(r, id_): f"{r} {id_}" for id_ in "cab" for r in ("device", "area", "entity", "label")}
    kept, some = frozenset({Key("device", "a")}), frozenset({"device", "area", "entity"})
    first = compare(found, {}, {}, some, kept=kept)
    assert first == compare(found, {}, {}, some, found.keys(), kept)
    assert [d.key for d in first.differences] == sorted(
        k for k in found if k.registry in some and k not in kept
    )
