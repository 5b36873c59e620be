"""The composition root: the only module that names concrete adapters.

Imports of adapters are local, because each brings its library and most commands need few of them.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.core.report import Report
from engine.errors import SettingsError
from engine.loop.one_pass import PassOptions
from engine.loop.reconciler import Reconciler
from engine.ports import Progress, Source
from engine.settings import LoadedSettings

if TYPE_CHECKING:
    from engine.ports import Records
    from engine.replicas.sqlite import SqliteRows

Clock = Callable[[], float]

_WEBSOCKET_SCHEMES = ("ws", "wss", "http", "https")


class Stores(msgspec.Struct):
    """The opened replicas of one home; `rows` is also the ledger."""

    rows: "SqliteRows"
    records: "Records | None"


def open_source(loaded: LoadedSettings, clock: Clock = time.time) -> Source:
    """The source that `source.uri` names. Raises SettingsError when it names none."""
    settings = loaded.settings.source
    scheme, _, rest = settings.uri.partition(":")
    if scheme in _WEBSOCKET_SCHEMES:
        if not loaded.token:
            raise _no_token()
        from engine.sources.websocket import WebsocketSource

        return WebsocketSource(
            settings.uri,
            loaded.token.reveal(),
            message_bytes_max=settings.message_bytes_max,
            timeout_seconds=settings.timeout_seconds,
            clock=clock,
        )
    if scheme == "storage":
        from engine.sources.storage import StorageSource

        return StorageSource(Path(rest), clock=clock)
    if scheme == "backup":
        from engine.sources.backup import BackupSource

        return BackupSource(Path(rest), clock=clock)
    if scheme == "capture":
        from engine.sources.capture import CaptureSource

        return CaptureSource(Path(rest), clock=clock)
    raise _no_source(settings.uri)


@contextmanager
def open_stores(loaded: LoadedSettings, *, private_copy: bool = False) -> Iterator[Stores]:
    """Open the replicas for one command; with `private_copy` nothing on disk can change."""
    from engine.replicas.sqlite import open_rows

    settings = loaded.settings
    rows = open_rows(
        Path(settings.rows.file),
        changes_max=settings.rows.changes_max,
        tombstone_days=settings.rows.tombstone_days,
        private_copy=private_copy,
    )
    try:
        records = _open_records(settings.records.uri, private_copy=private_copy)
        try:
            yield Stores(rows, records)
        finally:
            if records is not None:
                records.close()
    finally:
        rows.close()


async def reconcile_once(
    loaded: LoadedSettings, options: PassOptions, progress: Progress, clock: Clock = time.time
) -> Report:
    """One pass over the home that the settings name. Only mode `apply` can write."""
    source = open_source(loaded, clock)
    with open_stores(loaded, private_copy=options.mode != "apply") as stores:
        replicas = [stores.rows, *([stores.records] if stores.records else [])]
        return await Reconciler(source, replicas, stores.rows, clock, progress).run(options)


def new_run_id(at: float) -> str:
    """A run's id: sortable by time, unique among runs of one second."""
    return f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _open_records(uri: str, *, private_copy: bool) -> "Records | None":
    scheme, _, rest = uri.partition(":")
    if uri == "none":
        return None
    if scheme == "history" and rest:
        from engine.replicas.history import open_history

        return open_history(Path(rest), private_copy=private_copy)
    raise SettingsError(f"Setting records.uri = {uri!r} names no store.", "Use history:FILE, or none.")


def _no_source(uri: str) -> SettingsError:
    # Only the part before the colon: what follows may hold a password.
    what = f"Setting source.uri = {uri.partition(':')[0]}:... names no source" if uri else "No source is set"
    return SettingsError(
        f"{what}.",
        "Set source.uri (--source, RECONCILE_SOURCE__URI) to ws://HOST:8123 of your Home Assistant, "
        "or to storage:DIR, backup:FILE.tar or capture:DIR.",
    )


def _no_token() -> SettingsError:
    return SettingsError(
        "No access token is set.",
        "Make a long-lived access token in Home Assistant (profile, security; a read-only user's will do) and "
        "name its file in source.token_file (RECONCILE_SOURCE__TOKEN_FILE), or set RECONCILE_SOURCE__TOKEN.",
    )
