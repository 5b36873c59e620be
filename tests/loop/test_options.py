"""What is known to have changed since a replica was compared: only where one home was made from the other."""

from engine.core.records.content_hash import content_hash
from engine.loop.passes.options import Since, what_changed
from tests.homes import ENTRY, NOON, device, snapshot


def test_changes_are_known_only_for_a_home_made_from_the_compared_one() -> None:
    first = snapshot(ENTRY, device(1))
    changed = [(device(1, name="Lamp"), content_hash(device(1, name="Lamp")))]
    second = first.with_changes(changed, [], taken_at=NOON + 1)
    third = second.with_changes([], [ENTRY.key], taken_at=NOON + 2)
    assert what_changed(first, first) == Since(first, frozenset())
    assert what_changed(first, first.read_as()) == Since(first, frozenset())
    assert what_changed(first, second) == Since(first, frozenset({device(1).key}))
    assert what_changed(None, second) is None
    assert what_changed(second, first) is None
    assert what_changed(first, third) is None, "that was made from the second"
    assert what_changed(first, snapshot(ENTRY, device(1))) is None, "that was read anew"
