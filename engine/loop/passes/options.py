"""How one pass is to be done, and what is known before it begins."""

from collections.abc import Mapping, Set
from typing import NamedTuple

import msgspec

from engine.core.guards.guard import Policy
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.core.words import Mode


class PassOptions(msgspec.Struct, frozen=True):
    """How one pass is to be done."""

    mode: Mode
    policy: Policy
    registries: frozenset[str]
    run_id: str
    site: str
    confirm_deletes: bool = False
    expected: Mapping[str, str] | None = None  # fingerprints of a saved plan, by replica
    places: Mapping[str, str] = {}  # which stores the replicas are, where one may be exchanged for another
    verify: bool = True  # read what the replicas hold, whatever is remembered of them


class Since(NamedTuple):
    """The replica was compared with `before`, and what is desired now differs from that in `keys` at most.

    Without `before` another process compared it: what its rows hold besides what counts is not known.
    """

    before: Snapshot | None
    keys: Set[Key]


def what_changed(before: Snapshot | None, desired: Snapshot) -> Since | None:
    """What changed since a replica was compared with `before`, when that is what `desired` was made from."""
    if before is None:
        return None
    if desired.home.generation is before.home.generation:
        return Since(before, frozenset())
    return Since(before, desired.home.touched) if desired.home.base is before.home.generation else None
