"""Absences: which records are missing, since which look, and whether that proves that they are gone."""

from collections.abc import Mapping, Set
from functools import partial

import msgspec

from engine.core.compare.plan import Operation
from engine.core.guards.doubt import untrusted_read
from engine.core.guards.look import Calendar, Look, elapsed, is_after
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key

_MANY = 100


class Absences(msgspec.Struct, frozen=True):
    """The changes that a read makes to the remembered absences."""

    begun: frozenset[Key] = frozenset()  # missing for the first time
    returned: frozenset[Key] = frozenset()  # listed again, or missed at an unusable time
    moot: frozenset[Key] = frozenset()  # not held by the observed replicas any more; others may


def ended_absences(absences: Mapping[Key, Look], desired: Snapshot, calendar: Calendar) -> frozenset[Key]:
    """The absences in which an earlier read of this process listed the record, whether or not a pass could record that."""
    seen = desired.last_seen
    if not seen:
        return frozenset()
    times = {key: at for key in seen.among(absences.keys()) if (at := seen.at(key)) is not None}
    look = partial(calendar.look, is_dated=desired.reading.is_frozen)
    return frozenset(key for key, at in times.items() if not is_after(absences[key], look(at)))


def track_absences(
    desired: Snapshot,
    known: Mapping[Key, str],
    absences: Mapping[Key, Look],
    calendar: Calendar,
    keys: Set[Key] | None = None,
    kept: frozenset[Key] = frozenset(),
) -> Absences:
    """The absences to remember and to forget; `known` are our rows that the observed replicas still hold.

    A read that may not delete proves nothing either, so it starts no absence; it still ends them. With `keys`,
    only those can be newly missing; records in `kept` may still exist. Call it only with a read of the right home.
    """
    # A view of all records takes time to build, but is faster to search.
    listed = desired.home.records.keys() if len(absences) > _MANY else desired.home.records
    if keys is None and known.keys() <= desired.home.records.keys():
        candidates = set[Key]()
    elif keys is None:
        candidates = known.keys() - desired.home.records.keys()
    else:
        # One by one, because Python's set operations would visit all records for a few keys.
        candidates = {key for key in keys if key in known}
    missing = {key for key in candidates if desired.is_missing(key) and key not in kept}
    now = calendar.look(desired.reading.taken_at, is_dated=desired.reading.is_frozen)
    # If a clock was set or the machine restarted, these could wait for a moment that then proves nothing.
    untimely = {k for k in missing if k in absences and elapsed(absences[k], now) < 0}
    is_evidence = untrusted_read(desired) is None and not desired.reading.health.recovery_mode
    # One by one, because Python's set operations would visit all records for a few keys.
    returned = {key for key in absences if key in listed or key in kept}
    return Absences(
        begun=frozenset((missing - absences.keys()) | untimely) if is_evidence else frozenset(),
        returned=frozenset(returned | untimely),
        moot=frozenset(key for key in absences if key not in known and key not in returned),
    )


def is_confirmed(
    operation: Operation,
    desired: Snapshot,
    absences: Mapping[Key, Look],
    calendar: Calendar,
    confirm_seconds: float,
) -> bool:
    """Whether the record was missing from two looks at its whole registry, `confirm_seconds` apart."""
    if operation.difference.applied is None:
        return True  # a foreign row that the user allowed to prune: there is no absence to confirm
    first = absences.get(operation.key)
    # A later look at other registries does not confirm it, and a look from the future was taken by another clock.
    last = desired.reading.listed_at(operation.key.registry)
    return confirm_seconds == 0 or (
        first is not None
        and last <= desired.reading.taken_at
        and elapsed(first, calendar.look(last, is_dated=desired.reading.is_frozen)) >= confirm_seconds
    )


def wait_seconds(first: Look, *, now: Look, confirm: float) -> float:
    """Seconds after a look until another can confirm an absence, `confirm` seconds after the look that first missed it."""
    went_by = elapsed(first, now)
    # An absence whose time cannot be compared starts again.
    return confirm if went_by < 0 else max(0.0, confirm - went_by)
