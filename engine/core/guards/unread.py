"""The guard for registries that were not read: absent is not empty.

The records of a registry that was not requested, or that Home Assistant did not list, are neither deleted nor compared,
and the guard reports this as long as the replica holds such records. Rows whose values depend on such a registry stay as
they are too: without its device an entity would lose its area, and a stored name could not be separated from its device's.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from engine.core.compare.plan import Action, Plan
from engine.core.counts import plural
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Entity, Key
from engine.core.records.registries import REGISTRIES

# By registry, the registries that its rows depend on: for derived values, and for the names of stored entities.
_MADE_WITH = {"entity": ("device",), "device": ("entity", "config_entry")}


class UnreadHold(NamedTuple):
    """The operations that are held, and why."""

    keys: frozenset[Key]  # operations that are held
    message: str
    hint: str


def hold_unread(plan: Plan, desired: Snapshot, applied: Mapping[Key, str]) -> UnreadHold | None:
    """The operations to hold because registries were not read; None if the replica holds no records of them.

    `applied` are the versions last applied to the replica: a home that never had a registry lacks nothing.
    """
    unread = desired.reading.unread
    reasons = unread.registries
    known = Counter(key.registry for key in applied if key.registry in reasons) if reasons else Counter()
    scopes = {
        o.key.id.partition("/")[0]: o.key
        for o in plan.of(Action.DELETE)
        if o.key.registry not in reasons and unread.leaves_out(o.key)
    }
    if not known and not scopes:
        return None
    held = {
        o.key
        for o in plan.operations
        if (o.derived is not None or isinstance(o.after, Entity))
        and any(known[r] for r in _MADE_WITH.get(o.key.registry, ()))
    }
    held |= {o.key for o in plan.of(Action.DELETE) if unread.leaves_out(o.key)}
    parts = [
        f"{reasons[r]}, of which {plural(known[r], 'record')} {'is' if known[r] == 1 else 'are'} known"
        for r in REGISTRIES
        if known[r]
    ]
    parts += [f"categories of the scope {scope!r} were not requested" for scope in sorted(scopes)]
    return UnreadHold(
        frozenset(held),
        f"Not all that is known was read from {desired.reading.origin}: {'; '.join(parts)}. It stays as it is.",
        "Restore what is missing and run again. If the home really has none of it any more, set "
        "plan.allow_empty = true for one run (--allow-empty).",
    )
