"""The fate of a record that is not found: never unknown if any store ever had it."""

import pytest

from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.core.state.fate import (
    VERSIONS_MAX,
    Fate,
    Former,
    borne_at,
    fate_of,
    former_of,
    recorded_formers,
)
from tests.homes import NOON

KEY, OTHER = Key("entity", "e1"), Key("entity", "e2")
OLD = "light.old"


def test_an_unknown_name_has_no_fate() -> None:
    assert fate_of(OLD, [], {}) is None


def test_a_renamed_entity_says_its_new_name() -> None:
    fate = fate_of(OLD, [Former(KEY, NOON)], {KEY: "light.new"})
    assert fate == Fate(
        "renamed",
        "entity",
        "e1",
        "light.new",
        None,
        "The entity 'light.old' has another name by now: it is 'light.new' (id e1).",
    )


def test_an_entity_found_by_its_id_is_not_described_as_renamed() -> None:
    fate = fate_of("e1", [Former(KEY, NOON)], {KEY: "light.new"})
    assert fate == Fate(
        "renamed", "entity", "e1", "light.new", None, "The entity with the id 'e1' is 'light.new'."
    )


def test_a_key_is_named_without_its_registry() -> None:
    fate = fate_of("entity/e1", [Former(KEY, NOON, NOON)], {})
    assert fate is not None
    assert fate.text.startswith("The entity 'e1' is gone")


def test_a_deleted_entity_says_when() -> None:
    fate = fate_of(OLD, [Former(KEY, NOON, NOON)], {})
    assert fate is not None
    assert (fate.what, fate.at, fate.now_called) == ("deleted", NOON, None)
    assert fate.text == "The entity 'light.old' is gone: it was deleted at 2026-11-23T12:00:00.000Z (id e1)."


def test_a_foreign_row_that_was_pruned_is_called_one() -> None:
    fate = fate_of("mock", [Former(Key("device", "mock"), NOON, NOON, is_foreign=True)], {})
    assert fate is not None
    assert "is gone: it was a foreign row, which was pruned at 2026" in fate.text


@pytest.mark.parametrize(
    "formers",
    [[Former(KEY, NOON)], [Former(KEY, NOON - 9, NOON - 9), Former(KEY, NOON)]],  # it returned since
)
def test_a_row_that_is_gone_without_having_been_deleted_is_lost(formers: list[Former]) -> None:
    fate = fate_of(OLD, formers, {})
    assert fate is not None
    assert (fate.what, fate.at) == ("lost", NOON)
    assert fate.text == (
        "The row of the entity 'light.old' (id e1) is missing, although it was last written at 2026-11-23T12:00:00.000Z"
        " and was not deleted since, as far as is known: if Home Assistant still has it, the next pass writes it."
    )


def test_an_existing_holder_counts_before_the_newest_former_one() -> None:
    both = [Former(KEY, NOON), Former(OTHER, NOON + 1, NOON + 1)]
    there, gone = fate_of(OLD, both, {KEY: "light.new"}), fate_of(OLD, both, {})
    assert there is not None
    assert gone is not None
    assert (there.id, gone.id) == ("e1", "e2")


@pytest.mark.parametrize("last", [KEY, OTHER])
def test_among_several_renamed_entities_the_last_holder_of_the_name_is_given(last: Key) -> None:
    called = {KEY: "light.x", OTHER: "light.y"}
    formers = [Former(key, NOON, borne_at=NOON + (key == last)) for key in (KEY, OTHER)]
    formers += [Former(key, NOON + 9 * (key != last)) for key in (KEY, OTHER)]  # what another store knows
    fate = fate_of(OLD, formers, called)
    assert fate is not None
    assert (fate.id, fate.now_called) == (last.id, called[last])
    assert "other" not in fate.text.removeprefix("The entity 'light.old' has another name")


@pytest.mark.parametrize(("first", "last"), [(KEY, OTHER), (OTHER, KEY)])
@pytest.mark.parametrize("is_said", [True, False])
def test_among_several_deleted_entities_the_last_holder_of_the_name_is_given(
    first: Key, last: Key, is_said: bool
) -> None:
    if is_said:  # by each store in turn, the later first
        former = Former(first, NOON + 9, NOON + 9, borne_at=NOON)
        two = [Former(last, NOON + 1, NOON + 1, borne_at=NOON + at) for at in (1, -1)]
    else:
        former = Former(first, NOON, NOON)
        two = [Former(last, NOON + at, NOON + at) for at in (1, -1)]
    fate = fate_of(OLD, [former, *two], {})
    assert fate is not None
    assert (fate.id, fate.at) == (last.id, NOON + 1)


def test_a_device_has_no_name_but_another_id() -> None:
    key = Key("device", "d2")
    fate = fate_of("d1", [Former(Key("device", "d1"), NOON + 1), Former(key, NOON)], {key: "d2"})
    assert fate is not None
    assert fate.text == "The device 'd1' has another id by now: it is 'd2' (id d2)."


def test_a_later_holder_of_the_name_is_mentioned() -> None:
    gone = Former(OTHER, NOON + 1, NOON + 1, borne_at=NOON + 1)
    fate = fate_of(OLD, [Former(KEY, NOON, borne_at=NOON), gone], {KEY: "light.new"})
    assert fate is not None
    assert (fate.id, fate.now_called) == (KEY.id, "light.new")
    assert fate.text == (
        "The entity 'light.old' has another name by now: it is 'light.new' (id e1)."
        " Another one had the name after it, and is gone (id e2)."
    )


def test_a_name_was_held_until_the_first_version_with_another_name() -> None:
    versions = [(NOON, OLD), (NOON + 1, OLD), (NOON + 2, "light.new"), (NOON + 3, "light.newer")]
    assert borne_at(OLD, versions) == NOON + 2
    assert borne_at(OLD, versions[:2]) == NOON + 1
    assert borne_at(OLD, versions[2:]) is None
    assert borne_at(OLD, []) is None


def test_a_timeline_says_whether_it_ended() -> None:
    assert former_of(KEY, []) == []
    assert former_of(KEY, [(NOON, False)]) == [Former(KEY, NOON)]
    assert former_of(KEY, [(NOON, False), (NOON + 1, True)]) == [Former(KEY, NOON + 1, NOON + 1)]
    assert former_of(KEY, [(NOON, False)], NOON) == [Former(KEY, NOON, borne_at=NOON)]


class Timelines:
    """The versions of some records, by key: (Unix seconds, what was done, entity_id)."""

    def __init__(self, **versions: list[tuple[float, str, str]]) -> None:
        self._versions = versions
        self.asked: list[tuple[str, int]] = []

    def newest(self, key: Key, count: int) -> list[Revision]:
        self.asked.append((key.id, count))
        found = self._versions.get(key.id, [])[-count:]
        return [Revision(key, at, op, 1, "1:x", "run", {"entity_id": name}) for at, op, name in found]


def test_the_newest_version_of_a_single_holder_suffices() -> None:
    timelines = Timelines(e1=[(NOON, "create", OLD), (NOON + 1, "update", "light.new")])
    assert list(recorded_formers(OLD, [], [KEY], timelines.newest)) == [Former(KEY, NOON + 1)]
    assert list(recorded_formers("light.new", [KEY], [KEY], timelines.newest)) == [
        Former(KEY, NOON + 1, borne_at=NOON + 1)
    ]
    assert timelines.asked == [("e1", 1), ("e1", 1)]


def test_each_of_several_holders_has_the_time_until_it_held_the_name() -> None:
    timelines = Timelines(
        e1=[(NOON, "create", OLD), (NOON + 1, "update", "light.new"), (NOON + 2, "update", "light.newer")],
        e2=[(NOON + 3, "create", OLD), (NOON + 4, "delete", OLD)],
    )
    none = Key("entity", "e0")
    found = list(recorded_formers(OLD, [none], [OTHER, KEY], timelines.newest))
    assert found == [
        Former(KEY, NOON + 2, borne_at=NOON + 1),
        Former(OTHER, NOON + 4, NOON + 4, borne_at=NOON + 4),
    ]
    assert timelines.asked == [("e0", VERSIONS_MAX), ("e1", VERSIONS_MAX), ("e2", VERSIONS_MAX)]
