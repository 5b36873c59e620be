"""Absences: which records were missed, since which look, and whether that is evidence that they are gone."""

from collections.abc import Mapping, Set

import msgspec

from engine.core.compare.plan import Operation
from engine.core.guards.doubt import untrusted_read
from engine.core.guards.look import Calendar, Look, elapsed
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key

_MANY = 100


class Absences(msgspec.Struct, frozen=True):
    """What a read changes about the records that were missed."""

    begun: frozenset[Key] = frozenset()  # missed now for the first time
    returned: frozenset[Key] = frozenset()  # there again, or first missed at a time that says nothing now
    moot: frozenset[Key] = frozenset()  # no longer held by the replicas that were looked at; others may


def track_absences(
    desired: Snapshot,
    known: Mapping[Key, str],
    absences: Mapping[Key, Look],
    calendar: Calendar,
    keys: Set[Key] | None = None,
    kept: frozenset[Key] = frozenset(),
) -> Absences:
    """What to remember and to forget; `known` is what the replicas that were looked at still hold of ours.

    A read that may not delete is no evidence either, so it starts no absence; it still ends one. With `keys`
    only those can be newly missing; what is `kept` may be there. Ask it only of a read that is of the home.
    """
    # A view of all records has to be made first, and is faster to look into.
    listed = desired.home.records.keys() if len(absences) > _MANY else desired.home.records
    if keys is None:
        candidates = known.keys() - desired.home.records.keys()
    else:
        # One by one, because Python's set operations would go through all records for a handful.
        candidates = {key for key in keys if key in known}
    missing = {key for key in candidates if desired.is_missing(key) and key not in kept}
    now = calendar.look(desired.reading.taken_at)
    # A clock was set, or the machine restarted: these might wait for a time that proves nothing when it comes.
    untimely = {k for k in missing if k in absences and elapsed(absences[k], now) < 0}
    is_evidence = untrusted_read(desired) is None and not desired.reading.health.recovery_mode
    # One by one, because Python's set operations would go through all records for a handful.
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
        return True  # a foreign row, pruned because the user said so: there is no absence to wait for
    first = absences.get(operation.key)
    # A look at other registries since then missed nothing, and one from the time to come was by another clock.
    last = desired.reading.listed_at(operation.key.registry)
    return confirm_seconds == 0 or (
        first is not None
        and last <= desired.reading.taken_at
        and elapsed(first, calendar.look(last)) >= confirm_seconds
    )


def wait_seconds(first: Look, *, now: Look, confirm: float) -> float:
    """How long after a look the one has to be taken that confirms an absence, `confirm` seconds after its first look."""
    went_by = elapsed(first, now)
    # An absence whose time says nothing starts again.
    return confirm if went_by < 0 else max(0.0, confirm - went_by)
