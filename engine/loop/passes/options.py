"""The options of one pass, and the changes known before it begins."""

from collections.abc import Mapping, Set
from typing import NamedTuple

import msgspec

from engine.core.guards.guard import Policy
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.core.words import Mode


class PassOptions(msgspec.Struct, frozen=True):
    """The options of one pass."""

    mode: Mode
    policy: Policy
    registries: frozenset[str]
    run_id: str
    site: str
    confirm_deletes: bool = False
    expected: Mapping[str, str] | None = None  # fingerprints of a saved plan, by replica
    places: Mapping[str, str] = {}  # names of the replicas' stores, if one may be exchanged for another
    verify: bool = True  # read the replicas in full, whatever is remembered of them


class Since(NamedTuple):
    """The changes since a replica was compared with `before`: the desired state differs from that at most in `keys`.

    Without `before`, another process compared it, and the unhashed fields of its rows are unknown.
    """

    before: Snapshot | None
    keys: Set[Key]


def what_changed(before: Snapshot | None, desired: Snapshot) -> Since | None:
    """The changes since a replica was compared with `before`; None unless `desired` was made from that."""
    if before is None:
        return None
    if desired.home.generation is before.home.generation:
        return Since(before, frozenset())
    return Since(before, desired.home.touched) if desired.home.base is before.home.generation else None
