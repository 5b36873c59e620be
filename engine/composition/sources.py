"""Opens the source that the settings name.

Imports of adapters are local, because each brings its library and most commands need few of them.
"""

import time
from collections.abc import Callable
from pathlib import Path

from engine.composition.resources import Resources
from engine.composition.source_names import RECORDS_URI, no_source, no_token
from engine.composition.stores import Clock, Stores
from engine.core.guards.look import Calendar
from engine.core.home.snapshot import Snapshot
from engine.errors import ReplicaError, SettingsError
from engine.ports import Progress, Source
from engine.settings.sections import LoadedSettings, Settings
from engine.settings.text import WEBSOCKET_SCHEMES


def open_source(
    loaded: LoadedSettings,
    clock: Clock = time.time,
    stores: Stores | None = None,
    resources: Resources = Resources(),  # noqa: B008 (immutable)
    calendar: Callable[[], Calendar] = Calendar,
) -> Source:
    """The source that `source.uri` names. Raises SettingsError when it names none.

    A live source also reads the category scopes already stored, because no command lists them.
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

        key, offload = loaded.backup_key.reveal(), resources.source_files
        return BackupSource(Path(rest), key=key, clock=clock, calendar=calendar, offload=offload)
    if scheme == "capture":
        from engine.sources.files.capture import CaptureSource

        return CaptureSource(Path(rest), clock=clock, offload=resources.source_files)
    raise no_source(settings.uri)


def load_adapter(settings: Settings) -> None:
    """Load the library that the source needs, in a thread: it takes 0.1 s, which is too long for an event loop."""
    scheme = settings.source.uri.partition(":")[0]
    if scheme in WEBSOCKET_SCHEMES:
        import encodings.idna  # noqa: F401  # Python loads it with the first host name

        import engine.sources.live.websocket
    elif scheme == "storage":
        import engine.sources.files.storage
    elif scheme == "backup":
        import engine.sources.files.backup
    elif scheme == "capture":
        import engine.sources.files.capture  # noqa: F401


def _known_scopes(stores: Stores | None, resources: Resources) -> frozenset[str]:
    if resources.category_scopes is not None:
        return resources.category_scopes
    return stored_scopes(stores) if stores else frozenset()


def stored_scopes(stores: Stores) -> frozenset[str]:
    """The scopes of the categories that are stored; none where the file cannot be read."""
    try:
        return stores.rows.category_scopes()
    except ReplicaError:
        return frozenset()  # the pass reports the file's error


def open_followed_source(
    loaded: LoadedSettings,
    clock: Clock = time.time,
    stores: Stores | None = None,
    resources: Resources = Resources(),  # noqa: B008 (immutable)
    calendar: Callable[[], Calendar] = Calendar,
) -> Source:
    """The source, followed live by its events, or by polling its files. Raises SettingsError for one that cannot be followed."""
    if loaded.settings.source.uri == RECORDS_URI:
        raise SettingsError(
            "The source `records` restores the rows in one pass; a service follows Home Assistant.",
            "Run `reconcile --source records`, or let source.uri name Home Assistant.",
        )
    source = open_source(loaded, clock, stores, resources, calendar)
    if source.can_be_followed:
        return source
    from engine.sources.files.polling import Polled, PollingSource

    assert isinstance(source, Polled), "every file source is"
    path = Path(loaded.settings.source.uri.partition(":")[2])
    return PollingSource(source, path, loaded.settings.loop.poll_seconds, clock, resources.source_files)


class RememberingSource(Source):
    """A source that keeps its newest snapshot."""

    def __init__(self, source: Source) -> None:
        """Read nothing yet."""
        self._source = source
        self.newest: Snapshot | None = None

    @property
    def origin(self) -> str:
        """The source as shown to users."""
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


def needs_event_loop(settings: Settings) -> bool:
    """Whether a pass waits for anything but files and stores, as only a live source does."""
    return settings.source.uri.partition(":")[0] in WEBSOCKET_SCHEMES
