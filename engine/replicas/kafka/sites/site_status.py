"""Messages of the topic `sites`: the status of a home as the process that keeps it reports it, and that process itself.

Pure. Every process of a fleet writes them and anyone may read them, so they are checked in full when read: a message that this
program would not have written is rejected with the reason. Fields that a newer release adds are ignored. They hold no secrets.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from engine.core.decode_errors import DECODE_ERRORS
from engine.core.times import rfc3339
from engine.core.words import SyncStatus
from engine.errors import ReplicaRejected
from engine.replicas.kafka.messages import SCHEMA_VERSION, Message, TopicEntry
from engine.replicas.kafka.topics import REPLICA, partition_of
from engine.settings.sites import PUBLIC_URL, SiteName

# A home's message is sent at least this often, and stays valid for two such intervals.
HEARTBEAT_SECONDS = 60
PAUSE_SECONDS = 5  # and no more often
FRESH_MS = 2 * HEARTBEAT_SECONDS * 1000
REASON_MAX = 1000
# The limit on how far an owner's clock may be ahead. Claims start as times, and increase by one to outbid another claim.
AHEAD_MS = 86_400_000

_MS_MAX = 253_402_300_799_999  # the end of the year 9999

WorkerName = Annotated[str, Meta(min_length=1, max_length=300)]
# http(s), without a user; empty: not published.
PublicUrl = Annotated[str, Meta(pattern=PUBLIC_URL, max_length=2000)]
Milliseconds = Annotated[int, Meta(ge=0, le=_MS_MAX)]  # Unix time
# No store can hold more, and no home has so many.
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]

# The stages of a single process (`api/sites/ports.py`), and those that only a fleet has.
SiteStage = Literal["waiting", "kept", "paused", "invalid", "failed", "unconfigured", "released"]
WorkerState = Literal["active", "drained"]


class SiteStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A home as its owner reports it. `status` is the home's status; `stage` tells whether the owner keeps it yet."""

    site: SiteName
    owner: WorkerName
    claim: Milliseconds  # a later ownership of the home has a larger one
    stage: SiteStage
    status: SyncStatus
    ts_ms: Milliseconds
    label: Annotated[str, Meta(max_length=200)] = ""
    tags: tuple[SiteName, ...] = ()
    url: PublicUrl = ""
    since_ms: Milliseconds | None = None
    reason: Annotated[str, Meta(max_length=REASON_MAX)] | None = None
    source: Annotated[str, Meta(max_length=2000)] | None = None
    connected: bool = False
    heard_ms: Milliseconds | None = None
    blocked: bool = False
    records: dict[str, Count] = {}
    drift_records: Count | None = None
    pending: Count = 0
    synced_ms: Milliseconds | None = None
    ha_version: Annotated[str, Meta(max_length=100)] | None = None

    @property
    def rank(self) -> tuple[int, str]:
        """The rank that decides between two owners' messages about a home, whatever their order in the topic."""
        return self.claim, self.owner

    @property
    def is_owned(self) -> bool:
        """Whether the owner still had the home when it wrote this."""
        return self.stage != "released"

    def word_at(self, now_ms: float, members: Collection[str] | None = None) -> SyncStatus:
        """The status as far as it is known at `now_ms`; `members` are the processes of the fleet, None: unknown.

        It is unknown once the owner gave the home up, left the fleet, or has not repeated the status for two heartbeats.
        """
        is_gone = members is not None and self.owner not in members
        if not self.is_owned or is_gone or abs(now_ms - self.ts_ms) > FRESH_MS:
            return SyncStatus.UNKNOWN
        return self.status


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A process of the fleet: the address of its API, and the homes that it has settings for, even if it does not keep them."""

    worker: WorkerName
    state: WorkerState
    ts_ms: Milliseconds
    url: PublicUrl = ""
    version: Annotated[str, Meta(max_length=100)] = ""
    since_ms: Milliseconds | None = None  # of its state
    # A digest of each home's settings without secrets; null if its file is broken.
    settings: dict[SiteName, Annotated[str, Meta(max_length=64)] | None] = {}


class Removed(msgspec.Struct, frozen=True):
    """A tombstone: the home was removed for good, or the process has left."""

    site: str = ""
    worker: str = ""
    claim: int | None = None  # the writer's claim; null if the message names none


class StrangeMessage(ReplicaRejected):
    """A message in the topic that this program did not write or cannot decode."""


class _WrongError(Exception):
    """The reason why a message is strange."""


class _SiteKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    site: SiteName


class _WorkerKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    worker: WorkerName


_encode = msgspec.json.Encoder().encode
_decode_site_key = msgspec.json.Decoder(_SiteKey).decode
_decode_worker_key = msgspec.json.Decoder(_WorkerKey).decode
_decode_site = msgspec.json.Decoder(SiteStatus).decode
_decode_worker = msgspec.json.Decoder(WorkerStatus).decode


def site_key(site: str) -> bytes:
    """The one spelling of a home's key."""
    return _encode(_SiteKey(site))


def worker_key(worker: str) -> bytes:
    """The one spelling of a process's key."""
    return _encode(_WorkerKey(worker))


def encode_site(topic: str, status: SiteStatus) -> Message:
    """The message about a home."""
    headers = _headers(status.owner, status.claim)
    return Message(topic, site_key(status.site), _encode(status), headers)


def encode_site_removed(topic: str, site: str, owner: str, claim: int) -> Message:
    """The tombstone of a home that was removed for good."""
    return Message(topic, site_key(site), None, _headers(owner, claim))


def encode_worker(topic: str, status: WorkerStatus) -> Message:
    """The message about a process."""
    return Message(topic, worker_key(status.worker), _encode(status), _headers(status.worker))


def encode_worker_removed(topic: str, worker: str) -> Message:
    """The tombstone of a process that has left."""
    return Message(topic, worker_key(worker), None, _headers(worker))


class ReadingPlace(NamedTuple):
    """Where and when a message is read."""

    partition: int
    partitions: int  # of the topic
    now_ms: float


def decode_message(entry: TopicEntry, reading: ReadingPlace) -> SiteStatus | WorkerStatus | Removed:
    """Decode a message in a partition of the topic. Raises StrangeMessage with the reason."""
    try:
        found = _decode(entry)
        _check_place(found, reading)
        _check_times(found, reading.now_ms)
    except _WrongError as error:
        partition = reading.partition
        raise StrangeMessage(
            REPLICA,
            f"The message at offset {entry.offset} in partition {partition} of {entry.topic} is ignored: {error}.",
            "Keep other programs from writing to this topic.",
        ) from error
    return found


def _decode(entry: TopicEntry) -> SiteStatus | WorkerStatus | Removed:
    _check_schema(entry)
    site, worker = _name_in(entry.key)
    if entry.value is None:
        return Removed(site, worker, _number(entry.headers, "claim"))
    try:
        found = _decode_site(entry.value) if site else _decode_worker(entry.value)
    except DECODE_ERRORS as error:
        raise _WrongError(f"its value is not one that this program writes: {error}") from error
    name = _subject(found)
    if name != (site or worker):
        raise _WrongError(f"its value is about {name}, and its key about {site or worker}")
    return found


def _check_place(found: SiteStatus | WorkerStatus | Removed, reading: ReadingPlace) -> None:
    """Check the partition: compaction would keep messages with one key in two partitions. Raises _WrongError."""
    name = _subject(found)
    place = partition_of(name, reading.partitions)
    if place != reading.partition:
        raise _WrongError(f"messages about {name} belong in partition {place}")


def _check_times(found: SiteStatus | WorkerStatus | Removed, now_ms: float) -> None:
    """Check the times: no owner could outbid a claim near the maximum, and a message from the future never expires. Raises _WrongError."""
    times: dict[str, int | None] = {}
    if isinstance(found, SiteStatus | WorkerStatus):
        times["time"] = found.ts_ms
    if isinstance(found, SiteStatus | Removed):
        times["claim"] = found.claim
    for what, at in times.items():
        if at is not None and at > now_ms + AHEAD_MS:
            raise _WrongError(
                f"its {what}, {rfc3339(at / 1000)}, is more than a day ahead of this machine's clock, {rfc3339(now_ms / 1000)}"
            )


def _subject(found: SiteStatus | WorkerStatus | Removed) -> str:
    match found:
        case SiteStatus():
            return found.site
        case WorkerStatus():
            return found.worker
        case _:
            return found.site or found.worker


def _name_in(key: bytes | None) -> tuple[str, str]:
    """The home or the process that a key names. Raises _WrongError."""
    if key is None:
        raise _WrongError("it has no key")
    is_worker = key.startswith(b'{"worker":')
    try:
        site = "" if is_worker else _decode_site_key(key).site
        worker = _decode_worker_key(key).worker if is_worker else ""
    except DECODE_ERRORS as error:
        raise _WrongError(f'its key is not of the form {{"site":"NAME"}}: {error}') from error
    if key != (site_key(site) if site else worker_key(worker)):
        raise _WrongError("its key is spelled differently, so compaction would keep both")
    return site, worker


def _check_schema(entry: TopicEntry) -> None:
    version = _number(entry.headers, "schema")
    if version is not None and version > SCHEMA_VERSION:
        raise _WrongError(
            f"it has schema version {version}, and this program knows {SCHEMA_VERSION}; update it"
        )


def _number(headers: Mapping[str, bytes], name: str) -> int | None:
    text = headers.get(name, b"").decode("ascii", "replace")
    return int(text[:15]) if text.isascii() and text.isdigit() else None


def _headers(owner: str, claim: int | None = None) -> tuple[tuple[str, bytes], ...]:
    found = [("schema", b"%d" % SCHEMA_VERSION), ("owner", owner.encode())]
    return tuple(found if claim is None else [*found, ("claim", b"%d" % claim)])
