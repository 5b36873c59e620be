"""The composition root: with its neighbours the only module that names concrete adapters.

Imports of adapters are local, because each brings its library and most commands need few of them.
"""

import os
import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.claims import Claim
from engine.composition.resources import Resources
from engine.composition.source_names import RECORDS_URI, no_source, no_token
from engine.core.home.snapshot import Snapshot
from engine.core.state.report import ErrorReport, Report
from engine.core.words import Mode
from engine.errors import ReplicaError, SettingsError
from engine.files.store_lock import hold_store
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.pass_cache.file import PassCacheFile
from engine.pass_cache.ports import Recalling
from engine.ports import Progress, Replica, Source
from engine.process.clock import ProcessClock
from engine.process.offload import to_thread
from engine.settings.sections import LoadedSettings, Settings
from engine.settings.stores import is_kafka, kafka_uri
from engine.settings.text import WEBSOCKET_SCHEMES

if TYPE_CHECKING:
    from engine.ports import Records
    from engine.replicas.rows.backup import Content
    from engine.replicas.rows.replica import SqliteRows
    from engine.replicas.rows.restore import Restored

Clock = Callable[[], float]


class Stores(msgspec.Struct, frozen=True):
    """The opened replicas of one home: `rows`, which is also the ledger, and any others."""

    rows: "SqliteRows"
    records: "Records | None" = None  # the one that is asked for the past
    kafka: "Replica | None" = None

    @property
    def replicas(self) -> "tuple[Replica, ...]":
        """All of them, in the order in which they are reported."""
        return tuple(store for store in (self.rows, self.records, self.kafka) if store is not None)


def open_source(
    loaded: LoadedSettings,
    clock: Clock = time.time,
    stores: Stores | None = None,
    resources: Resources = Resources(),  # noqa: B008 (immutable)
) -> Source:
    """The source that `source.uri` names. Raises SettingsError when it names none.

    A live source also reads the scopes that are stored already, because no command lists them.
    """
    settings = loaded.settings.source
    scheme, _, rest = settings.uri.partition(":")
    if scheme in WEBSOCKET_SCHEMES:
        if not loaded.token and resources.token is None:
            raise no_token()
        from engine.sources.live.websocket import WebsocketSource

        return WebsocketSource(
            settings.uri,
            resources.token or loaded.token.reveal(),
            message_bytes_max=settings.message_bytes_max,
            timeout_seconds=settings.timeout_seconds,
            clock=clock,
            category_scopes=_known_scopes(stores, resources),
            offload=resources.decode,
            messages_per_second_max=resources.messages_per_second_max,
        )
    if scheme == "storage":
        from engine.sources.files.storage import StorageSource

        return StorageSource(Path(rest), clock=clock, offload=resources.source_files)
    if scheme == "backup":
        from engine.sources.files.backup import BackupSource

        return BackupSource(
            Path(rest), key=loaded.backup_key.reveal(), clock=clock, offload=resources.source_files
        )
    if scheme == "capture":
        from engine.sources.files.capture import CaptureSource

        return CaptureSource(Path(rest), clock=clock, offload=resources.source_files)
    raise no_source(settings.uri)


def _known_scopes(stores: Stores | None, resources: Resources) -> frozenset[str]:
    if resources.category_scopes is not None:
        return resources.category_scopes
    return stored_scopes(stores) if stores else frozenset()


def stored_scopes(stores: Stores) -> frozenset[str]:
    """The scopes of the categories that are stored; none where the file cannot be read."""
    try:
        return stores.rows.category_scopes()
    except ReplicaError:
        return frozenset()  # the pass says what is wrong with the file


def open_past(loaded: LoadedSettings) -> "Records | None":
    """The records replica once more, only to be read: stores are used by one thread at a time."""
    scheme, _, rest = loaded.settings.records.uri.partition(":")
    if scheme == "history" and rest:
        from engine.replicas.history.replica import open_history

        return open_history(Path(rest), read_only=True, cache_kib=loaded.settings.rows.cache_kib)
    return _open_records(loaded, private_copy=True, clock=time.time)


def open_followed_source(
    loaded: LoadedSettings,
    clock: Clock = time.time,
    stores: Stores | None = None,
    resources: Resources = Resources(),  # noqa: B008 (immutable)
) -> Source:
    """The source, to be followed: live by its events, files by polling. Raises SettingsError for one that cannot be."""
    if loaded.settings.source.uri == RECORDS_URI:
        raise SettingsError(
            "The source `records` restores the rows in one pass; a service follows Home Assistant.",
            "Run `reconcile --source records`, or let source.uri name Home Assistant.",
        )
    source = open_source(loaded, clock, stores, resources)
    if source.can_be_followed:
        return source
    from engine.sources.files.polling import PollingSource

    assert isinstance(source, Recalling), "every form of files is"
    path = Path(loaded.settings.source.uri.partition(":")[2])
    return PollingSource(source, path, loaded.settings.loop.poll_seconds, clock, resources.source_files)


@contextmanager
def open_stores(
    loaded: LoadedSettings,
    *,
    private_copy: bool = False,
    clock: Clock = time.time,
    claim: Claim | None = None,
) -> Iterator[Stores]:
    """Open the replicas for one command; with `private_copy` nothing on disk can change. `claim` is on the home."""
    from engine.replicas.rows.replica import open_rows

    settings = loaded.settings
    _check_apart(settings)
    with ExitStack() as opened:
        rows = open_rows(
            Path(settings.rows.file),
            changes_max=settings.rows.changes_max,
            tombstone_days=settings.rows.tombstone_days,
            cache_kib=settings.rows.cache_kib,
            private_copy=private_copy,
        )
        opened.callback(rows.close)
        records = _open_records(loaded, private_copy=private_copy, clock=clock)
        if records is not None:
            opened.callback(records.close)
        kafka = None
        if kafka_uri(settings):
            from engine.composition.kafka import open_kafka_records

            kafka = open_kafka_records(loaded, read_only=private_copy, claim=claim)
            opened.callback(kafka.close)
        yield Stores(rows, records, kafka)


def check_folders(settings: Settings) -> None:
    """Raises SettingsError when the folder of one of our files does not exist: more likely a typo than intended."""
    scheme, _, history = settings.records.uri.partition(":")
    named = {"rows.file (--rows)": settings.rows.file}
    if scheme == "history" and history:
        named["records.uri (--records)"] = history
    for name, file in named.items():
        folder = Path(os.path.realpath(file)).parent
        with suppress(OSError):  # what cannot be looked at is reported when the file is opened
            if not folder.exists():
                raise SettingsError(
                    f"Setting {name} names {file}, and there is no folder {folder}.",
                    f"Correct the name, or make the folder: mkdir -p {shlex.quote(str(folder))}",
                )


def _check_apart(settings: Settings) -> None:
    """Raises SettingsError when the rows and the history are to be one file, by whatever names."""
    scheme, _, rest = settings.records.uri.partition(":")
    rows, history = Path(settings.rows.file), Path(rest)
    if scheme != "history" or not rest:
        return
    with suppress(OSError):  # what cannot be looked at is reported when it is opened
        is_one = (
            rows.samefile(history) if rows.exists() else os.path.realpath(rows) == os.path.realpath(history)
        )
        if is_one:
            raise SettingsError(
                f"rows.file and records.uri name the same file, {rows}.",
                "Give the history a file of its own.",
            )


def typed_names(loaded: LoadedSettings, begun: str) -> Mapping[str, str]:
    """The names in the rows file that begin so, each with another one of that record. Raises ReplicaError."""
    from engine.replicas.rows.queries.typed_names import find_typed_names

    return find_typed_names(Path(loaded.settings.rows.file), begun)


def snapshot_store(loaded: LoadedSettings, target: Path) -> "Content":
    """Copy the rows file to `target`, also while other programs use it. Raises ReplicaError."""
    from engine.replicas.rows.backup import take_snapshot

    return take_snapshot(Path(loaded.settings.rows.file), target)


def restore_store(loaded: LoadedSettings, snapshot: Path, clock: Clock = time.time) -> "Restored":
    """Put a snapshot back. Raises StoreHeld while a service keeps the store, and ReplicaError."""
    from engine.replicas.rows.restore import restore_rows

    rows = Path(loaded.settings.rows.file)
    with hold_store(rows):
        return restore_rows(snapshot, rows, clock())


async def reconcile_once(
    loaded: LoadedSettings, options: PassOptions, progress: Progress, clock: Clock = time.time
) -> Report:
    """One pass over the home that the settings name. Only mode `apply` can write."""
    check_folders(loaded.settings)
    times = ProcessClock(clock)
    with open_stores(loaded, private_copy=options.mode != Mode.APPLY) as stores:
        replicas: Sequence[Replica] = stores.replicas
        if loaded.settings.source.uri == RECORDS_URI:
            source: Source = open_records_source(stores, times)
            replicas = [stores.rows]
        else:
            source = open_source(loaded, times, stores)
        remembered = RememberingSource(source) if options.mode == Mode.DRIFT else None
        asked, cache, calendar = remembered or source, PassCacheFile(stores.rows.path), times.calendar
        made = Reconciler(asked, replicas, stores.rows, times, progress, calendar=calendar, cache=cache)
        report = await made.run(options)
    if remembered is not None and remembered.newest is not None:
        return await to_thread(partial(_with_legacy, loaded, remembered.newest, report))
    return report


class RememberingSource(Source):
    """A source whose newest snapshot can be looked at afterwards."""

    def __init__(self, source: Source) -> None:
        """Nothing is read yet."""
        self._source = source
        self.newest: Snapshot | None = None

    @property
    def origin(self) -> str:
        """The source as a person would name it."""
        return self._source.origin

    async def read(self, progress: Progress) -> Snapshot:
        """Read every registry. Raises SourceError."""
        self.newest = await self._source.read(progress)
        return self.newest


def open_records_source(stores: Stores, clock: Clock = time.time) -> Source:
    """The source `records`. Raises SettingsError when there is no records replica."""
    from engine.sources.records import RecordsSource

    if stores.records is None:
        raise SettingsError(
            "The source is the records replica, and records.uri names none that can be read back.",
            "Set records.uri (--records) to history:FILE or influxdb://HOST:8086/BUCKET.",
        )
    return RecordsSource(stores.records, clock)


def _with_legacy(loaded: LoadedSettings, desired: Snapshot, report: Report) -> Report:
    """The report with what HomeIQ left in the InfluxDB, if there is one."""
    if not is_influx(loaded.settings.records.uri):
        return report
    from engine.composition.influx import legacy_records

    try:
        found = legacy_records(loaded, desired)
    except ReplicaError as error:
        if any(known.subject == error.replica for known in report.errors):
            return report  # it is known to be away
        return msgspec.structs.replace(report, errors=(*report.errors, ErrorReport.of(error.replica, error)))
    return msgspec.structs.replace(report, records=(*report.records, *found))


def needs_event_loop(settings: Settings) -> bool:
    """Whether one pass waits for more than files and stores: only a live source does."""
    return settings.source.uri.partition(":")[0] in WEBSOCKET_SCHEMES


def _store_places(settings: Settings) -> dict[str, str]:
    """Which stores may be exchanged for others, by replica, as a digest: an address may hold a secret."""
    uri, kafka = settings.records.uri, kafka_uri(settings)
    places = {"kafka": _digest(kafka.partition("?")[0])} if kafka else {}
    if is_influx(uri):
        return places | {"influxdb": _digest(uri.partition("?")[0])}
    scheme, _, path = uri.partition(":")
    if scheme != "history":
        return places
    try:
        return places | {"history": _digest(os.path.abspath(path))}  # noqa: PTH100 (a path that may not exist)
    except OSError:
        return places  # the working folder is gone: opening the file will fail and say so


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def is_influx(uri: str) -> bool:
    """Whether `records.uri` names an InfluxDB; asked here, so that its client is loaded only if it does."""
    return uri.partition(":")[0] in ("influxdb", "influxdbs")


def pass_options(settings: Settings, mode: Mode, at: float) -> PassOptions:
    """How a pass that begins at a time (Unix seconds) is done, as the settings say."""
    return PassOptions(
        mode=mode,
        policy=settings.plan,
        registries=frozenset(settings.source.registries),
        run_id=new_run_id(at),
        site=settings.site.name,
        places=_store_places(settings),
    )


def new_run_id(at: float) -> str:
    """A run's id: sortable by time, unique among runs of one second."""
    return f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _open_records(loaded: LoadedSettings, *, private_copy: bool, clock: Clock) -> "Records | None":
    uri = loaded.settings.records.uri
    scheme, _, rest = uri.partition(":")
    if uri == "none" or is_kafka(uri):
        return None
    if scheme == "history" and rest:
        from engine.composition.compaction import open_kept_history

        return open_kept_history(loaded, private_copy=private_copy, clock=clock)
    if is_influx(uri):
        from engine.composition.influx import open_influx_records

        return open_influx_records(loaded, read_only=private_copy)
    # Only the part before the colon: what follows may hold a password.
    raise SettingsError(
        f"Setting records.uri = {scheme}:... names no store.",
        "Use history:FILE, influxdb://HOST:8086/BUCKET, kafka://HOST:9092/PREFIX, or none.",
    )
