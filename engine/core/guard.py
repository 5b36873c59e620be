"""Guards: when a plan, or its deletes, must not be carried out.

A delete needs evidence. Home Assistant answers a complete-looking, successful, empty list in recovery mode,
lists grow while it starts, a corrupt store comes back with new ids, a wrong URL is another home: in all of
these the rows in the replicas are the better copy. A refusal names the guard, the numbers and what would
change it; whatever it does not concern is carried out.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.core.plan import Action, Operation, Plan
from engine.core.record import Entity, Key
from engine.core.snapshot import Snapshot
from engine.core.unread_guard import GUARD as REGISTRY_UNREAD
from engine.core.unread_guard import leave_unread

# Registries that are never empty in a living home; losing the only label is nobody's disaster.
_NEVER_EMPTY = ("config_entry", "device", "entity")


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What plans may do. The settings section `plan`."""

    mode: Annotated[
        Literal["enforce", "observe"],
        Meta(
            description="enforce writes what the plan says; observe compares and reports and never writes anything"
        ),
    ] = "enforce"
    delete_ratio_max: Annotated[
        float,
        Meta(
            description="largest share of a replica's rows one pass may delete, asked above delete_few_max",
            ge=0,
            le=1,
        ),
    ] = 0.10
    delete_count_max: Annotated[int, Meta(description="largest number of rows one pass may delete", ge=0)] = (
        1000
    )
    delete_few_max: Annotated[
        int,
        Meta(
            description="up to this many deletes are never held for being a large share: small homes are small",
            ge=0,
        ),
    ] = 20
    delete_confirm_seconds: Annotated[
        float,
        Meta(
            description="seconds between the read that first missed a record and the one that confirms it is gone",
            ge=0,
            le=604_800,
        ),
    ] = 60.0
    allow_empty: Annotated[
        bool,
        Meta(
            description="accept that Home Assistant has no devices, no entities or no config entries at all"
        ),
    ] = False
    allow_new_instance: Annotated[
        bool, Meta(description="accept another Home Assistant than the one the replicas were filled from")
    ] = False
    prune_foreign: Annotated[
        bool, Meta(description="delete rows that Home Assistant does not have and the engine never wrote")
    ] = False


class Refusal(msgspec.Struct, frozen=True):
    """A guard that spoke: what it saw, what would change its mind, and how many operations it holds."""

    guard: str
    message: str
    hint: str
    held: int


class Verdict(msgspec.Struct, frozen=True):
    """What may be done now; `held` is refused, `waiting` only needs a second look at Home Assistant."""

    allowed: tuple[Operation, ...]
    held: tuple[Operation, ...]
    waiting: tuple[Operation, ...]
    refusals: tuple[Refusal, ...]


def review(
    plan: Plan,
    desired: Snapshot,
    *,
    applied: Mapping[Key, str],
    observed_count: int,
    absences: Mapping[Key, float],
    policy: Policy,
) -> Verdict:
    """Judge one plan. `applied` are the versions last applied, `absences` the Unix time each key was first missed."""
    deletes = plan.of(Action.DELETE)
    all_of = _refuse_everything(desired, applied, policy)
    if all_of and plan.operations:
        guard, message, hint = all_of
        return Verdict((), plan.operations, (), (Refusal(guard, message, hint, len(plan.operations)),))
    left = leave_unread(plan, desired, applied)
    unread = left.keys if left else frozenset()
    deletes = tuple(o for o in deletes if o.key not in unread)
    replaced = {o.replaces for o in plan.operations if o.replaces}
    certain = {o.key for o in deletes if _is_certain(o, desired, replaced)}
    waiting = {
        o.key for o in deletes if o.key not in certain and not _is_confirmed(o, desired, absences, policy)
    }
    ready = tuple(o for o in deletes if o.key not in waiting)
    refusal = _refuse_deletes(ready, certain, desired, applied, observed_count, policy)
    refused = {o.key for o in ready} if refusal else set()
    stopped = _with_followers(refused | waiting | unread, plan)
    held = tuple(o for o in plan.operations if o.key in stopped and o.key not in waiting)
    refusals = [Refusal(*refusal, sum(o.key not in unread for o in held))] if refusal else []
    if left:
        refusals.append(Refusal(REGISTRY_UNREAD, left.message, left.hint, len(unread)))
    return Verdict(
        allowed=tuple(o for o in plan.operations if o.key not in stopped),
        held=held,
        waiting=tuple(o for o in deletes if o.key in waiting),
        refusals=tuple(refusals),
    )


def _with_followers(stopped: set[Key], plan: Plan) -> set[Key]:
    """The stopped operations, and those that would take over an entity_id whose row cannot give it up now.

    Renames come in chains: who waits for an entity_id keeps its own from the next.
    """
    if not stopped:
        return stopped
    bearers = {o.before.fields.get("entity_id"): o.key for o in plan.operations if o.before is not None}
    waits_for = {
        o.key: o.replaces or bearers.get(o.after.entity_id)
        for o in plan.operations
        if isinstance(o.after, Entity)
    }
    found = set(stopped)
    while more := {key for key, other in waits_for.items() if other in found and key not in found}:
        found |= more
    return found


class Absences(msgspec.Struct, frozen=True):
    """What a read changes about the records that were missed."""

    begun: frozenset[Key] = frozenset()  # missed now for the first time
    returned: frozenset[Key] = frozenset()  # there again, or first missed at a time that is still to come
    moot: frozenset[Key] = frozenset()  # no longer held by the replicas that were looked at; others may


def track_absences(
    desired: Snapshot,
    known: Mapping[Key, str],
    absences: Mapping[Key, float],
    policy: Policy,
    keys: frozenset[Key] | None = None,
) -> Absences:
    """What to remember and to forget; `known` is what the replicas that were looked at still hold of ours.

    A read that may not delete is no evidence either, so it starts no absence; it still ends one. With `keys`
    only those can be missing anew.
    """
    candidates = known.keys() - desired.records.keys() if keys is None else keys & known.keys()
    trusted = not _refuse_everything(desired, known, policy) and not _untrusted_read(desired)
    missing = {key for key in candidates if desired.is_missing(key)}
    # The clock was set back: these would wait for it to come round again, and then prove nothing.
    untimely = {k for k in missing if absences.get(k, desired.taken_at) > desired.taken_at}
    return Absences(
        begun=frozenset((missing - absences.keys()) | untimely) if trusted else frozenset(),
        # One by one, because Python's set operations would go through all records for a handful.
        returned=frozenset(key for key in absences if key in desired.records) | untimely,
        moot=frozenset(key for key in absences if key not in desired.records and key not in known),
    )


def _refuse_everything(
    desired: Snapshot, applied: Mapping[Key, str], policy: Policy
) -> tuple[str, str, str] | None:
    if desired.health.recovery_mode:
        return (
            "recovery_mode",
            f"Home Assistant {desired.health.ha_version} is in recovery mode and shows "
            f"{len(desired.records)} records; what it shows is not the home.",
            "Nothing was changed. Repair Home Assistant's configuration and let it start normally.",
        )
    # Asked this way round, because almost always one of a dozen is found at once.
    is_known = any(Key("config_entry", id_) in applied for id_ in desired.entry_ids)
    known = () if is_known else [key for key in applied if key.registry == "config_entry"]
    if known and not policy.allow_new_instance:
        if not desired.entry_ids and policy.allow_empty:
            return None
        return (
            "wrong_instance",
            f"None of the {len(known)} known config entries is among the {len(desired.entry_ids)} that "
            f"{desired.origin} has: this is another Home Assistant, or an older backup of it.",
            "Nothing was changed. Check source.uri; to mirror this instance from now on, "
            "set plan.allow_new_instance = true for one run (--allow-new-instance).",
        )
    return None


def _untrusted_read(desired: Snapshot) -> tuple[str, str, str] | None:
    health = desired.health
    if health.state not in (None, "RUNNING"):
        return (
            "not_running",
            f"Home Assistant is {health.state}, not RUNNING.",
            "Run again when it has started; the deletes follow then.",
        )
    if health.unread:
        return (
            "health_unread",
            f"What Home Assistant says of its own state could not be read: {'; '.join(health.unread)}. "
            "Whether its registries are sound is not known.",
            "Restart Home Assistant, which writes such a file anew, and run again; the deletes follow then.",
        )
    if health.corrupt_stores:
        return (
            "storage_corruption",
            f"Home Assistant reports a corrupt store ({', '.join(health.corrupt_stores)}) and started over "
            "with an empty registry and new ids.",
            "Restore a backup of Home Assistant, or accept the loss there by fixing the repair issue.",
        )
    return None


def _refuse_deletes(
    ready: tuple[Operation, ...],
    certain: set[Key],
    desired: Snapshot,
    applied: Mapping[Key, str],
    observed_count: int,
    policy: Policy,
) -> tuple[str, str, str] | None:
    if not ready:
        return None
    if untrusted := _untrusted_read(desired):
        return untrusted
    for registry in () if policy.allow_empty else _empty_registries(desired):
        if had := sum(key.registry == registry for key in applied):
            return (
                "empty_source",
                f"Home Assistant lists no {registry} at all; {had} are known.",
                "If the home really is empty, set plan.allow_empty = true for one run (--allow-empty).",
            )
    count = sum(o.key not in certain for o in ready)
    share = count / max(observed_count, 1)
    told = f"Plan deletes {count} of {observed_count} records ({share:.0%})."
    if count > policy.delete_count_max:
        hint = f"raise plan.delete_count_max (now {policy.delete_count_max}), or pass --max-delete {count}."
        return "delete_count", told, f"To allow this, {hint}"
    if count > policy.delete_few_max and share > policy.delete_ratio_max:
        hint = (
            f"raise plan.delete_ratio_max (now {policy.delete_ratio_max:.2f}), or pass --max-delete {count}."
        )
        return "delete_ratio", told, f"To allow this, {hint}"
    return None


def _empty_registries(desired: Snapshot) -> list[str]:
    """Those that are never empty, and are."""
    return [r for r in _NEVER_EMPTY if r in desired.registries and not desired.counts[r]]


def _is_certain(operation: Operation, desired: Snapshot, replaced: set[Key]) -> bool:
    """Whether Home Assistant itself says that the record is gone, by more than not listing it."""
    key = operation.key
    return (
        key in desired.removed
        or (key.registry == "device" and key.id in desired.splits)
        # entity_ids are unique: when another entity bears this one's, this one is gone.
        or key in replaced
    )


def _is_confirmed(
    operation: Operation, desired: Snapshot, absences: Mapping[Key, float], policy: Policy
) -> bool:
    if operation.difference.applied is None:
        return True  # a foreign row, pruned because the user said so: there is no absence to wait for
    first = absences.get(operation.key)
    # A look at other registries since then missed nothing, and one from the time to come was by another clock.
    last = desired.listed_at(operation.key.registry)
    return policy.delete_confirm_seconds == 0 or (
        first is not None and first + policy.delete_confirm_seconds <= last <= desired.taken_at
    )
