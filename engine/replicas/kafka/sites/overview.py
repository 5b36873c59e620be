"""A fleet at one moment: its processes, its homes and their owners, and the problems. Pure.

The consumer group determines which process keeps a home; that process reports the home's status. A status that the owner has not
reported lately, or that another process reported, counts as unknown.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from engine.core.counts import plural
from engine.core.times import Instant
from engine.core.words import SyncStatus
from engine.replicas.kafka.fleet import Worker
from engine.replicas.kafka.sites.known_sites import KnownSites
from engine.replicas.kafka.sites.site_status import FRESH_MS, SiteStatus, WorkerStatus
from engine.replicas.kafka.topics import partition_of

_MS = 1000
_NAMED = 3


class WorkerOverview(msgspec.Struct, frozen=True):
    """One process. `state` is `active`, `drained`, `silent` (a member that has not reported) or `away` (not a member)."""

    name: str
    host: str | None
    state: str
    since: Instant | None
    partitions: int
    homes: tuple[str, ...]
    url: str
    version: str
    said_at: Instant | None


class HomeOverview(msgspec.Struct, frozen=True):
    """One home. `owner` is null if no process keeps it, `stage` if its owner has not reported lately."""

    name: str
    label: str
    tags: tuple[str, ...]
    owner: str | None
    stage: str | None
    status: SyncStatus
    since: Instant | None
    reason: str | None
    records: int | None
    pending: int | None
    differing: int | None
    said_at: Instant | None


class SettingsDifference(msgspec.Struct, frozen=True):
    """A home for which processes have different settings: for each process a digest, `broken` or `missing`."""

    name: str
    workers: dict[str, str]


class FleetOverview(msgspec.Struct, frozen=True):
    """The whole fleet, sorted by name."""

    workers: tuple[WorkerOverview, ...]
    sites: tuple[HomeOverview, ...]
    unowned: tuple[str, ...]  # homes that no process keeps
    unconfigured: tuple[str, ...]  # homes whose owner has no settings file for them
    differing_settings: tuple[SettingsDifference, ...]
    problems: tuple[str, ...]  # one sentence each


def overview(
    members: Sequence[Worker], known: KnownSites, homes: Iterable[str], partitions: int, now: float
) -> FleetOverview:
    """Combine all sources into the fleet at `now` (Unix seconds); `homes` are the homes with a settings file here."""
    owners = {partition: member.name for member in members for partition in member.partitions}
    names = sorted({*homes, *known.sites})
    owner_of = {name: owners.get(partition_of(name, partitions)) for name in names}
    sites = tuple(_home(name, owner_of[name], known.sites.get(name), now) for name in names)
    workers = tuple(_workers(members, known, owner_of, now))
    differences = differing_settings(known.workers.values(), {worker.name for worker in workers})
    return FleetOverview(
        workers,
        sites,
        tuple(name for name in names if owner_of[name] is None),
        tuple(site.name for site in sites if site.stage == "unconfigured"),
        differences,
        tuple(_problems(workers, known, differences)),
    )


def differing_settings(
    workers: Iterable[WorkerStatus], current: Collection[str]
) -> tuple[SettingsDifference, ...]:
    """The homes for which the `current` processes that keep homes have different settings."""
    asked = sorted(
        (w for w in workers if w.worker in current and w.state == "active"), key=lambda w: w.worker
    )
    found = []
    for name in sorted({name for worker in asked for name in worker.settings}):
        words = {w.worker: _word(w.settings, name) for w in asked}
        if len(set(words.values())) > 1:
            found.append(SettingsDifference(name, words))
    return tuple(found)


def _word(settings: Mapping[str, str | None], name: str) -> str:
    return (settings[name] or "broken") if name in settings else "missing"


def _home(name: str, owner: str | None, said: SiteStatus | None, now: float) -> HomeOverview:
    if said is None:
        reason = "no process keeps it" if owner is None else f"{owner} has not reported on it yet"
        return HomeOverview(
            name, "", (), owner, None, SyncStatus.UNKNOWN, None, reason, None, None, None, None
        )
    word = said.word_at(now * _MS, {owner} if owner else ())
    is_current = owner == said.owner and said.is_owned and abs(now * _MS - said.ts_ms) <= FRESH_MS
    return HomeOverview(
        name=name,
        label=said.label,
        tags=said.tags,
        owner=owner,
        stage=said.stage if is_current else None,
        status=word,
        since=_instant(said.since_ms) if is_current else None,
        reason=said.reason if is_current else _why_unknown(owner, said),
        records=sum(said.records.values()) if is_current and said.records else None,
        pending=said.pending if is_current else None,
        differing=said.drift_records if is_current else None,
        said_at=_instant(said.ts_ms),
    )


def _why_unknown(owner: str | None, said: SiteStatus) -> str:
    if owner is None:
        return f"no process keeps it; {said.owner} was the last to"
    if owner != said.owner or not said.is_owned:
        return f"{owner} has not reported on it yet; {said.owner} kept it before"
    return f"{owner} has not reported on it lately"


def _workers(
    members: Sequence[Worker], known: KnownSites, owner_of: Mapping[str, str | None], now: float
) -> Iterable[WorkerOverview]:
    by_name = {member.name: member for member in members}
    fresh = {name for name, worker in known.workers.items() if abs(now * _MS - worker.ts_ms) <= FRESH_MS}
    for name in sorted(by_name.keys() | fresh):
        member, said = by_name.get(name), known.workers.get(name) if name in fresh else None
        yield WorkerOverview(
            name=name,
            host=member.host if member else None,
            state=_state(member, said),
            since=_instant(said.since_ms) if said else None,
            partitions=len(member.partitions) if member else 0,
            homes=tuple(home for home, owner in owner_of.items() if owner == name),
            url=said.url if said else "",
            version=said.version if said else "",
            said_at=_instant(said.ts_ms) if said else None,
        )


def _state(member: Worker | None, said: WorkerStatus | None) -> str:
    if said is None:
        return "silent"
    if said.state == "drained":
        return "drained"
    return "active" if member is not None else "away"


def _problems(
    workers: Sequence[WorkerOverview], known: KnownSites, differences: Sequence[SettingsDifference]
) -> Iterable[str]:
    for worker in workers:
        if worker.state == "silent":
            yield (
                f"{worker.name} ({worker.host}) is a member of the consumer group, has {plural(worker.partitions, 'partition')} and has "
                "not reported: it has just started, or it is not a process of this program, in which case no process keeps the homes in them."
            )
    if known.first_strange is not None:
        more = (
            f" So {'is' if known.strange == 2 else 'are'} {known.strange - 1} more."
            if known.strange > 1
            else ""
        )
        yield f"{known.first_strange.message}{more} {known.first_strange.hint}"
    if differences:
        named = ", ".join(difference.name for difference in differences[:_NAMED])
        rest = f" and {len(differences) - _NAMED} more" if len(differences) > _NAMED else ""
        words = ", ".join(f"{name} {word}" for name, word in differences[0].workers.items())
        yield (
            f"Processes have different settings of {named}{rest}; of {differences[0].name}: {words}. "
            "Give all of them the same reconcile.toml and the same folder of homes."
        )


def _instant(ms: int | None) -> Instant | None:
    return None if ms is None else Instant(ms / _MS)
