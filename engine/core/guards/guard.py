"""Guards: when a plan, or its deletes, must not be carried out.

A delete needs evidence. Home Assistant successfully returns an empty list that looks complete in recovery mode, lists
grow while it starts, a corrupt store returns with new ids, a wrong URL is another home: in all of these the rows in the
replicas are the better copy. A refusal names the guard, the numbers and what would change it; all other operations are
carried out. Guards decide at the first look: a record missing for the first time waits only if no guard would hold it.
"""

from collections.abc import Mapping, Set
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.core.compare.plan import Action, Operation, Plan
from engine.core.compare.stored import StoredRow
from engine.core.counts import plural
from engine.core.guards.absences import is_confirmed
from engine.core.guards.allowed import is_allowed, name_of_deletes
from engine.core.guards.doubt import depend_on_untrusted, untrusted_read
from engine.core.guards.instance import KnownHomes
from engine.core.guards.look import Calendar, Look
from engine.core.guards.unread import UnreadHold, hold_unread
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Entity, Key
from engine.core.words import GuardName, Outcome

# Registries that are never empty in a real home; losing the only label is no disaster.
_NEVER_EMPTY = ("config_entry", "device", "entity")
_PLAIN = Calendar()
_NAMED = (GuardName.EMPTY_SOURCE, GuardName.DELETE_RATIO, GuardName.DELETE_COUNT)


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The limits of plans: the settings section `plan`."""

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
    allow_deletes: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[0-9]+-[0-9a-f]{10}$")], ...],
        Meta(
            description="names of held deletes that may be carried out, as the page and `/api/status` name them; a name is of "
            "exactly these records, and ends with the day after"
        ),
    ] = ()
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
    """A guard's refusal: the reason, what would change it, and how many operations it holds.

    `name` is the name by which plan.allow_deletes allows the held deletes; None if they cannot be allowed by name.
    """

    guard: GuardName
    message: str
    hint: str
    held: int
    command: str | None = None
    name: str | None = None


class Verdict(msgspec.Struct, frozen=True):
    """The operations allowed now; `held` are refused, `waiting` only need a second look at Home Assistant.

    A pass that is `refused_whole` must not store anything it read either: the read is not of this home.
    """

    allowed: tuple[Operation, ...]
    held: tuple[Operation, ...]
    waiting: tuple[Operation, ...]
    refusals: tuple[Refusal, ...]
    refused_whole: bool = False

    def outcomes_left(self, done: Outcome) -> dict[Key, Outcome]:
        """The outcomes of what is not allowed; `done` is that of the others. No second look follows where all is only observed."""
        later = done if done == Outcome.OBSERVED else Outcome.WAITING
        held = Outcome.HELD if self.refusals else later
        return {o.key: later for o in self.waiting} | {o.key: held for o in self.held}


def review(  # noqa: PLR0913 (what a verdict rests on)
    plan: Plan,
    desired: Snapshot,
    *,
    applied: Mapping[Key, str],
    homes: KnownHomes,
    observed_count: int,
    absences: Mapping[Key, Look],
    policy: Policy,
    calendar: Calendar = _PLAIN,
    has_ledger: bool = True,
) -> Verdict:
    """Judge one plan. `applied` are the versions last applied, `absences` the look that first missed each key.

    Without `has_ledger`, it is unknown what was applied.
    """
    if all_of := _refuse_everything(desired, homes, policy):
        # Even without operations: a store that seems in order matches such a read only by chance.
        refusal = Refusal(*all_of, len(plan.operations))
        return Verdict((), plan.operations, (), (refusal,), refused_whole=True)
    left = hold_unread(plan, desired, applied)
    unread = left.keys if left else frozenset()
    deletes = tuple(o for o in plan.of(Action.DELETE) if o.key not in unread)
    rows = {o.key: o.before for o in deletes}
    certain = _find_certain(rows.keys(), plan, desired)
    untrusted = untrusted_read(desired)
    # The only evidence for these deletes is that the records are not listed.
    doubted, today = [key for key in rows if key not in certain], calendar.wall(desired.reading.taken_at)
    spoken = untrusted if deletes else None
    if deletes and spoken is None and not is_allowed(doubted, today, policy.allow_deletes):
        spoken = _refuse_deletes(len(doubted), desired, applied, observed_count, policy)
    unsure = () if spoken else tuple(o for o in deletes if o.key not in certain)
    waiting = _find_waiting(unsure, desired, absences, calendar, policy.delete_confirm_seconds)
    stopped = rows if spoken else {key: rows[key] for key in waiting}
    doubtful = _find_doubtful(plan, stopped, desired, is_believed=has_ledger and untrusted is None)
    if doubtful and spoken is None:
        spoken = untrusted
    kept = _with_followers(stopped.keys() | doubtful | unread, plan)
    held = tuple(o for o in plan.operations if o.key in kept and o.key not in waiting) if kept else ()
    return Verdict(
        allowed=tuple(o for o in plan.operations if o.key not in kept) if kept else plan.operations,
        held=held,
        waiting=tuple(o for o in deletes if o.key in waiting),
        refusals=_refusals(left, spoken, held, doubted, today),
    )


def _find_waiting(
    deletes: tuple[Operation, ...],
    desired: Snapshot,
    absences: Mapping[Key, Look],
    calendar: Calendar,
    confirm_seconds: float,
) -> set[Key]:
    """The keys of the deletes that need a second look."""
    return {o.key for o in deletes if not is_confirmed(o, desired, absences, calendar, confirm_seconds)}


def _find_doubtful(
    plan: Plan, stopped: Mapping[Key, StoredRow | None], desired: Snapshot, *, is_believed: bool
) -> set[Key]:
    """The operations that depend on a doubtful read.

    Our own rows look foreign if the ledger is lost or still empty, and a doubtful read cannot show whose they are.
    """
    unbooked = {} if is_believed else {row.key: row for row in plan.foreign}
    return depend_on_untrusted(plan.operations, {**stopped, **unbooked}, desired)


def _refusals(
    left: UnreadHold | None,
    spoken: tuple[GuardName, str, str] | None,
    held: tuple[Operation, ...],
    doubted: list[Key],
    today: float,
) -> tuple[Refusal, ...]:
    """The guards' refusals: first of deletes, then for registries that were not read."""
    unread = left.keys if left else frozenset()
    count = sum(o.key not in unread for o in held)
    refusals = [_refusal(spoken, count, doubted, today)] if spoken else []
    if left:
        refusals.append(Refusal(GuardName.REGISTRY_UNREAD, left.message, left.hint, len(unread)))
    return tuple(refusals)


def _refusal(spoken: tuple[GuardName, str, str], held: int, doubted: list[Key], today: float) -> Refusal:
    """A guard's refusal of these deletes; a limit names the command that raises it for one run."""
    is_limit = spoken[0] in (GuardName.DELETE_COUNT, GuardName.DELETE_RATIO)
    command = f"reconcile --max-delete {len(doubted)}" if is_limit else None
    # The name of an empty set would allow any removals that Home Assistant reports on that day.
    is_named = bool(doubted) and spoken[0] in _NAMED
    return Refusal(*spoken, held, command, name_of_deletes(doubted, today) if is_named else None)


def _with_followers(stopped: set[Key], plan: Plan) -> set[Key]:
    """The stopped operations, and those that need an entity_id which a stopped row still holds.

    Renames form chains: an entity that waits for an entity_id blocks the next one from taking its own.
    """
    if not stopped:
        return stopped
    found = set(stopped)
    taking = [(o, o.after.entity_id) for o in plan.operations if isinstance(o.after, Entity)]
    if not taking:
        return found
    holders = {o.before.fields.get("entity_id"): o.key for o in plan.operations if o.before is not None}
    waits_for = {o.key: o.replaces or holders.get(entity_id) for o, entity_id in taking}
    while more := {key for key, other in waits_for.items() if other in found and key not in found}:
        found |= more
    return found


def _refuse_everything(
    desired: Snapshot, homes: KnownHomes, policy: Policy
) -> tuple[GuardName, str, str] | None:
    if desired.reading.health.recovery_mode:
        return (
            GuardName.RECOVERY_MODE,
            f"{' '.join(filter(None, ('Home Assistant', desired.reading.health.ha_version)))} is in recovery mode and shows "
            f"{plural(len(desired.home.records), 'record')}; what it shows is not the home.",
            "Nothing was changed. Repair Home Assistant's configuration and let it start normally.",
        )
    if policy.allow_new_instance or homes.know(desired.home.entry_ids):
        return None
    if not desired.home.entry_ids and policy.allow_empty:
        return None
    return (
        GuardName.WRONG_INSTANCE,
        f"{desired.reading.origin} has {_entries(len(desired.home.entry_ids))} and is not the home of this store: of the "
        f"{_entries(homes.count)} known so far, some store knows none of these. It is another Home "
        "Assistant, or a backup from before they were set up.",
        "Nothing was changed. Check source.uri; to mirror this instance from now on, "
        "set plan.allow_new_instance = true for one run (--allow-new-instance).",
    )


def _entries(count: int) -> str:
    return plural(count, "config entry", many="config entries")


def _refuse_deletes(
    count: int,
    desired: Snapshot,
    applied: Mapping[Key, str],
    observed_count: int,
    policy: Policy,
) -> tuple[GuardName, str, str] | None:
    for registry in () if policy.allow_empty else _empty_registries(desired):
        if had := sum(key.registry == registry for key in applied):
            return (
                GuardName.EMPTY_SOURCE,
                f"Home Assistant lists no {registry} at all; {had} are known.",
                "If the home really is empty, set plan.allow_empty = true for one run (--allow-empty).",
            )
    share = count / max(observed_count, 1)
    summary = f"Plan deletes {count} of {observed_count} records ({share:.0%})."
    if count > policy.delete_count_max:
        hint = f"raise plan.delete_count_max (now {policy.delete_count_max}), or pass --max-delete {count}."
        return GuardName.DELETE_COUNT, summary, f"To allow this, {hint}"
    if count > policy.delete_few_max and share > policy.delete_ratio_max:
        hint = (
            f"raise plan.delete_ratio_max (now {policy.delete_ratio_max:.2f}), or pass --max-delete {count}."
        )
        return GuardName.DELETE_RATIO, summary, f"To allow this, {hint}"
    return None


def _empty_registries(desired: Snapshot) -> list[str]:
    """The registries that are empty and never should be."""
    return [r for r in _NEVER_EMPTY if r in desired.reading.registries and not desired.home.counts[r]]


def _find_certain(keys: Set[Key], plan: Plan, desired: Snapshot) -> set[Key]:
    """The keys whose records Home Assistant itself reports as gone, beyond not listing them."""
    certain = {key for key in keys if desired.is_reported_gone(key)}
    # entity_ids are unique: if another entity has this one's, this one is gone.
    certain |= {o.replaces for o in plan.operations if o.replaces}
    return certain & keys
