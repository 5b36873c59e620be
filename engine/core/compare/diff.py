"""The three-way comparison: what differs between Home Assistant and a replica, and which side changed.

With D = desired, O = observed, A = last applied (each a hash, or nothing):

    D = O                    in sync; if A differs, it has to be recorded again
    D != O, O = A            pending    Home Assistant changed, not yet written
    D != O, A unknown        pending    first run, or a row that existed before us
    D != O, A under way      pending    a write of ours was interrupted, and how far it got is unknown
    D = A, O != A            drift      another program changed the replica
    all three differ         conflict   both changed; Home Assistant wins
    only O                   foreign    a row that Home Assistant does not have and we never wrote
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum
from operator import itemgetter

import msgspec

from engine.core.records.record import Entity, Key, Record

# Last applied version of a key that is being written: whatever the replica then holds is ours.
IN_PROGRESS = ""
_registry, _id = itemgetter(0), itemgetter(1)  # of a key


class Cause(StrEnum):
    """Which side's change caused the difference."""

    PENDING = "pending"
    DRIFT = "drift"
    CONFLICT = "conflict"
    FOREIGN = "foreign"


class Kind(StrEnum):
    """How the difference appears in the replica."""

    MISSING = "missing"
    STALE = "stale"
    ORPHANED = "orphaned"


class Difference(msgspec.Struct, frozen=True):
    """A key on which Home Assistant and a replica disagree; the sides are hashes, None if absent."""

    key: Key
    cause: Cause
    desired: str | None
    observed: str | None
    applied: str | None

    @property
    def kind(self) -> Kind:
        """Missing from the replica, stale in it, or orphaned in it."""
        if self.observed is None:
            return Kind.MISSING
        return Kind.ORPHANED if self.desired is None else Kind.STALE


_NONE: Mapping[Key, Difference] = {}


class Diff(msgspec.Struct, frozen=True):
    """All differences, sorted by key, and the ledger entries that are out of date."""

    differences: tuple[Difference, ...]
    settled: tuple[tuple[Key, str | None], ...]  # last applied hash to record (None: forget) without a write


def compare(  # noqa: PLR0913 (three sides, and what is known of them)
    desired: Mapping[Key, str],
    observed: Mapping[Key, str],
    applied: Mapping[Key, str],
    registries: frozenset[str],
    keys: Collection[Key] | None = None,
    kept: frozenset[Key] = frozenset(),
    *,
    known: Mapping[Key, Difference] = _NONE,
) -> Diff:
    """Compare the three sides over the given registries; apart from set operations, the cost depends on what differs.

    With `keys`, compares only those: for a caller that knows that all others agree. Keys in `kept` are never compared.
    `known` are the differences of an earlier comparison; unchanged ones are reused.
    """
    if keys is None and not (observed or applied or known):
        return Diff(_all_missing(desired, registries, kept), ())
    differences: list[Difference] = []
    settled: list[tuple[Key, str | None]] = []
    if keys is None:
        # A side that is the home's own mapping (the same object) need not be searched.
        found_keys = set[Key]()
        for side in (observed, applied):
            if side is not desired:
                found_keys.update(key for key, _ in desired.items() ^ side.items())
        keys = found_keys
    for key in in_order(keys):
        if key.registry not in registries or key in kept:
            continue
        d, o, a = desired.get(key), observed.get(key), applied.get(key)
        if d != o:
            found = known.get(key)
            if found is None or found.desired != d or found.observed != o or found.applied != a:
                found = Difference(key, _cause(d, o, a), d, o, a)
            differences.append(found)
        elif d != a:
            settled.append((key, d))
    return Diff(tuple(differences), tuple(settled))


def _all_missing(
    desired: Mapping[Key, str], registries: frozenset[str], kept: frozenset[Key]
) -> tuple[Difference, ...]:
    """The differences of a first fill, where everything is missing and nothing has to be looked up."""
    pending, versions = Cause.PENDING, dict(desired.items())
    return tuple(
        [
            Difference(key, pending, versions[key], None, None)
            for key in in_order(versions)
            if key[0] in registries and key not in kept
        ]
    )


def in_order(keys: Iterable[Key]) -> list[Key]:
    """Sort keys; by their parts, because strings compare several times as fast as tuples of strings."""
    found = sorted(keys, key=_id)
    found.sort(key=_registry)
    return found


def adopt(
    observed: Mapping[Key, str],
    desired: Mapping[Key, Record],
    key_of: Callable[[str], Key | None] | None = None,
) -> tuple[Mapping[Key, str], dict[Key, Key]]:
    """Give rows that are known only by an entity_id the key of the entity that now has it.

    Rows written by other programs have no registry id; the replica lists them under
    `Key("entity", entity_id)`. Returns the versions under their new keys, and for each of those the key
    by which the replica knows the row. `key_of` finds the desired entity of an entity_id, where there is an index.
    """
    if observed.keys() <= desired.keys():
        return observed, {}
    strangers = [key for key in observed.keys() - desired.keys() if key.registry == "entity"]
    if not strangers:
        return observed, {}
    if key_of is None:
        key_of = {r.entity_id: key for key, r in desired.items() if isinstance(r, Entity)}.get
    adopted = dict(observed)
    aliases: dict[Key, Key] = {}
    for key in strangers:
        owner = key_of(key.id)
        if owner is not None and owner not in observed:
            adopted[owner] = adopted.pop(key)
            aliases[owner] = key
    return adopted, aliases


def _cause(desired: str | None, observed: str | None, applied: str | None) -> Cause:
    if applied is None:
        return Cause.PENDING if desired is not None else Cause.FOREIGN
    if applied in (observed, IN_PROGRESS):
        return Cause.PENDING
    return Cause.DRIFT if desired == applied else Cause.CONFLICT
