"""The status of a home that its owner sends to the other processes of a fleet. Pure."""

from collections.abc import Mapping

import msgspec

from api.sites.listing import body_of
from api.sites.ports import SiteView
from api.sites.words import site_word
from engine.core.state.status import Status, replica_status
from engine.core.words import SyncStatus
from engine.replicas.kafka.sites.site_status import REASON_MAX, SiteStatus, WorkerStatus

_MS = 1000
_TEXT_MAX = 2000


def home_status(view: SiteView, records: Mapping[str, int], owner: WorkerStatus, now: float) -> SiteStatus:
    """The home at `now` (Unix seconds); the caller fills in the claim. `records` counts its last read by registry."""
    body, word = body_of(view, now), SyncStatus(site_word(view, now))
    status = view.status
    return SiteStatus(
        site=view.name,
        owner=owner.worker,
        claim=0,
        stage=view.stage.value,
        status=word,
        ts_ms=milliseconds(now),
        label=view.label,
        tags=view.tags,
        url=owner.url,
        since_ms=_since_ms(view, word, now),
        reason=_shortened(body.reason, REASON_MAX),
        source=_shortened(body.source, _TEXT_MAX),
        connected=body.connected,
        heard_ms=_or_none(status.source.last_message_at if status else None),
        blocked=word == SyncStatus.BLOCKED,
        records=dict(records),
        drift_records=body.differing,
        pending=body.pending,
        synced_ms=_synced_ms(status),
        ha_version=_shortened(body.version, 100),
    )


def released(status: SiteStatus, now: float) -> SiteStatus:
    """The home when its owner gives it up at `now`: its status is unknown."""
    return msgspec.structs.replace(
        status,
        stage="released",
        status=SyncStatus.UNKNOWN,
        ts_ms=milliseconds(now),
        since_ms=milliseconds(now),
        reason=None,
        connected=False,
        blocked=False,
        drift_records=None,
        pending=0,
    )


def unconfigured(
    known: SiteStatus, owner: WorkerStatus, since_ms: int | None, directory: str, now: float
) -> SiteStatus:
    """A home that other processes know, but whose owner has no settings file for it."""
    return SiteStatus(
        site=known.site,
        owner=owner.worker,
        claim=0,
        stage="unconfigured",
        status=SyncStatus.UNKNOWN,
        ts_ms=milliseconds(now),
        label=known.label,
        tags=known.tags,
        url=owner.url,
        since_ms=since_ms or milliseconds(now),
        reason=f"{owner.worker} has no settings file for it in {directory}"[:REASON_MAX],
        source=known.source,
        heard_ms=known.heard_ms,
        records=known.records,
        synced_ms=known.synced_ms,
        ha_version=known.ha_version,
    )


def milliseconds(at: float) -> int:
    """Unix seconds in the unit of messages."""
    return max(0, round(at * _MS))


def _or_none(at: float | None) -> int | None:
    return None if at is None else milliseconds(at)


def _synced_ms(status: Status | None) -> int | None:
    synced = [replica.synced_at for replica in status.replicas] if status else []
    times = [at for at in synced if at is not None]
    return milliseconds(min(times)) if times and len(times) == len(synced) else None


def _since_ms(view: SiteView, word: SyncStatus, now: float) -> int | None:
    """The time since which the home has its status: in sync since its last store is, otherwise since the first is not."""
    if view.status is None:
        return None
    found = [replica_status(replica, now, view.freshness) for replica in view.status.replicas]
    times = [at for found_word, at in found if found_word == word and at is not None]
    if not times:
        return None
    return milliseconds(max(times) if word == SyncStatus.IN_SYNC else min(times))


def _shortened(text: str | None, longest: int) -> str | None:
    return None if text is None else text[:longest]
