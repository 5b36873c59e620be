"""Which home a store is of: decided from all that remember it, each for itself."""

import pytest

from engine.core.guards import instance
from engine.core.guards.instance import KnownHomes, entries_among
from engine.core.records.record import Key

OURS, OTHERS = frozenset({"a1", "a2"}), frozenset({"b1", "b2"})
NOBODY = frozenset[str]()


def test_without_a_known_home_any_home_is_accepted() -> None:
    assert KnownHomes().know(OURS)
    assert KnownHomes().know(NOBODY)


@pytest.mark.parametrize(
    "homes",
    [
        KnownHomes(own=OURS),
        KnownHomes(ledger=OURS),
        KnownHomes(held=OURS),
        KnownHomes(own=OTHERS, ledger=OURS),
        KnownHomes(own=OURS, ledger=OTHERS),
        KnownHomes(ledger=OTHERS, held=OURS),
        KnownHomes(ledger=OURS, held=OTHERS),
    ],
)
@pytest.mark.parametrize("listed", [OTHERS, NOBODY])
def test_one_memory_of_another_home_is_enough_despite_the_other(
    homes: KnownHomes, listed: frozenset[str]
) -> None:
    assert not homes.know(listed)


def test_one_entry_in_common_makes_a_home_the_same() -> None:
    assert KnownHomes(own=OURS, ledger=OURS).know(frozenset({"a2", "new"}))


def test_the_home_that_a_store_remembers_outweighs_its_records() -> None:
    assert KnownHomes(own=OURS, held=OTHERS).know(OURS)


def test_a_home_that_replaces_its_entries_one_by_one_stays_the_same() -> None:
    homes = KnownHomes().after(frozenset({"e0", "e1"}))
    for number in range(1, 30):
        now = frozenset({f"e{number}", f"e{number + 1}"})
        assert homes.know(now)
        homes = homes.after(now)
    # Nothing of what is listed now was there in the beginning; an old backup is of the same home.
    assert homes.know(frozenset({"e0"}))


def test_the_remembered_config_entries_are_bounded_and_listed_ones_stay() -> None:
    timed = [f"01{number:024}" for number in range(instance.OTHERS_MAX + 500)]
    old = [f"f{number:031x}" for number in range(50)]
    homes = KnownHomes().after(frozenset({*old, timed[0]}))
    for number in range(1, len(timed), 100):
        homes = homes.after(frozenset({timed[0], *timed[number : number + 100]}))
    listed = frozenset({timed[0], *timed[-99:]})
    assert len(homes.own) == len(homes.own & listed) + instance.OTHERS_MAX
    assert listed <= homes.own, "however old"
    assert not homes.own & frozenset(old), "the oldest are forgotten first"
    assert homes.own >= frozenset(timed[-instance.OTHERS_MAX :])
    assert homes.know(frozenset(timed[-500:-400]))
    many = frozenset(f"02{number:024}" for number in range(3 * instance.OTHERS_MAX))
    assert homes.after(many | listed).own >= many, "a home with more of them is known whole"


def test_a_store_that_was_away_meanwhile_is_of_the_same_home() -> None:
    now = frozenset({"a8", "a9"})
    for away in (KnownHomes(own=OURS, ledger=OURS | now), KnownHomes(ledger=OURS | now, held=OURS)):
        assert away.know(now)


def test_an_accepted_other_home_replaces_the_known_one() -> None:
    homes = KnownHomes(own=OURS, ledger=OURS).after(OTHERS)
    assert homes == KnownHomes(own=OTHERS)
    assert not homes.know(OURS)
    # Until its records are deleted, the store holds those of both.
    assert not KnownHomes(own=OTHERS, ledger=OTHERS, held=OURS | OTHERS).know(OURS)
    assert not KnownHomes(ledger=OTHERS, held=OURS | OTHERS).know(OURS)


def test_a_known_home_is_not_remembered_again() -> None:
    homes = KnownHomes(own=OURS)
    assert homes.after(frozenset({"a1"})) is homes
    assert homes.after(OURS) is homes
    assert homes.after(NOBODY) is homes


def test_config_entries_among_keys() -> None:
    assert entries_among([Key("config_entry", "a"), Key("device", "b")]) == {"a"}
