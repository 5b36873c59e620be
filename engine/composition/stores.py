"""Opens the replicas that the settings name.

Imports of adapters are local, because each brings its library and most commands need few of them.
"""

import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.claims import Claim
from engine.errors import SettingsError
from engine.settings.sections import LoadedSettings, Settings
from engine.settings.stores import is_kafka, kafka_uri

if TYPE_CHECKING:
    from engine.ports import Records, Replica
    from engine.replicas.rows.replica import SqliteRows


Clock = Callable[[], float]


class Stores(msgspec.Struct, frozen=True):
    """The opened replicas of one home: `rows`, which is also the ledger, and any others."""

    rows: "SqliteRows"
    records: "Records | None" = None  # the one that answers about the past
    kafka: "Replica | None" = None

    @property
    def replicas(self) -> "tuple[Replica, ...]":
        """All replicas, in the order of reports."""
        return tuple(store for store in (self.rows, self.records, self.kafka) if store is not None)


def open_past(loaded: LoadedSettings) -> "Records | None":
    """A second records replica, only for reading, because a store may be used by one thread at a time."""
    scheme, _, rest = loaded.settings.records.uri.partition(":")
    if scheme == "history" and rest:
        from engine.replicas.history.replica import open_history

        return open_history(Path(rest), read_only=True, cache_kib=loaded.settings.rows.cache_kib)
    return _open_records(loaded, private_copy=True, clock=time.time)


@contextmanager
def open_stores(
    loaded: LoadedSettings,
    *,
    private_copy: bool = False,
    clock: Clock = time.time,
    claim: Claim | None = None,
) -> Iterator[Stores]:
    """Open the replicas for one command; with `private_copy` nothing on disk can change. `claim` is the home's."""
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
        with suppress(OSError):  # a folder that cannot be inspected is reported when the file is opened
            if not folder.exists():
                make = f"make the folder: mkdir -p {shlex.quote(str(folder))}"
                raise SettingsError(
                    f"Setting {name} names {file}, and there is no folder {folder}.",
                    f"`reconcile serve` makes it when it first keeps the home. Until then, {make}"
                    if settings.sites.directory and Path(file).is_relative_to(settings.sites.state)
                    else f"Correct the name, or {make}",
                )


def _check_apart(settings: Settings) -> None:
    """Raises SettingsError when rows and history would be the same file, under any names."""
    scheme, _, rest = settings.records.uri.partition(":")
    rows, history = Path(settings.rows.file), Path(rest)
    if scheme != "history" or not rest:
        return
    with suppress(OSError):  # a file that cannot be inspected is reported when it is opened
        is_one = (
            rows.samefile(history) if rows.exists() else os.path.realpath(rows) == os.path.realpath(history)
        )
        if is_one:
            raise SettingsError(
                f"rows.file and records.uri name the same file, {rows}.",
                "Give the history a file of its own.",
            )


def store_places(settings: Settings) -> dict[str, str]:
    """A digest of each replica's place, to detect an exchanged store; a digest because an address may hold a secret."""
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
        return places  # the working folder is gone: opening the file will report it


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def is_influx(uri: str) -> bool:
    """Whether `records.uri` names an InfluxDB; checked here, so that its client is loaded only then."""
    return uri.partition(":")[0] in ("influxdb", "influxdbs")


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
    # Only the part before the colon: the rest may contain a password.
    raise SettingsError(
        f"Setting records.uri = {scheme}:... names no store.",
        "Use history:FILE, influxdb://HOST:8086/BUCKET, kafka://HOST:9092/PREFIX, or none.",
    )
