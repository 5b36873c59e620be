"""The interface that the InfluxDB replica needs from a server, for any of its APIs.

A scan is a plain selection of rows in a window of time; the reader decides which row is newest. That is
cheaper on every measured server than `last() GROUP BY id`, and means the same on all of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from engine.errors import ReplicaError, ReplicaRejected
from engine.replicas.influx.schema.points import REPLICA
from engine.replicas.influx.wires.failures import BucketMissing


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """Rows to read: of these measurements, of one site (None: of all), within [start_ns, stop_ns)."""

    measurements: tuple[str, ...]
    fields: tuple[str, ...]
    tags: tuple[str, ...] = ("id",)
    site: str | None = None
    ids: tuple[str, ...] = ()  # values of the tag `id`; empty means any
    start_ns: int = 0
    stop_ns: int | None = None
    newest_max: int | None = None  # only this many, the newest first
    equals: str | None = None  # only rows whose one field is this text

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of a row's values after its time."""
        return (*self.tags, *self.fields)


class Block(NamedTuple):
    """Some rows of one measurement, each a list: the time in ns, then the scan's columns (None if absent)."""

    measurement: str
    rows: list[list[Any]]


class Server(msgspec.Struct, frozen=True):
    """What a server reports about itself."""

    version: str  # "" when it reports none
    wire: str  # v1 or v2
    at: float | None  # its clock, Unix seconds, to the second
    note: str = ""  # the reason for this wire, shown to users


class Wire(Protocol):
    """One API of a server. Synchronous, one thread at a time. Methods raise only ReplicaError."""

    @property
    def name(self) -> str:
        """v1 or v2."""

    def probe(self) -> Server:
        """Ask the server for its version. Does not check credentials."""

    def retention_seconds(self) -> int | None:
        """How long the bucket keeps points, seconds; 0 for unlimited, None when the server does not report it."""

    def started(self) -> str | None:
        """A text that changes when the server restarts; None when there is none."""

    def write(self, body: bytes) -> None:
        """Write lines with times in ns. Returns only when the server confirmed that all are stored (204)."""

    def field_types(self, measurements: Sequence[str]) -> dict[tuple[str, str], frozenset[str]]:
        """The types that (measurement, field) have; empty if the server does not report them."""

    def tags_of_type(self, measurement: str, field: str, kind: str) -> list[Any] | None:
        """[time, site, id] of the newest point whose field has a type; None when there is none."""

    def check_may_write(self) -> None:
        """Raise unless the credentials allow writing to the bucket. Writes nothing."""

    def scan(self, scan: Scan) -> Iterator[Block]:
        """Read rows. Ends without an error only when all of them were read."""

    def close(self) -> None:
        """Close connections. May be called twice; the next call of another method opens them again."""


class ForwardingWire(ABC):
    """A `Wire` that delegates to another: a subclass chooses it, and overrides methods that differ."""

    @abstractmethod
    def _wire(self) -> Wire:
        """The wire that is used. Raises ReplicaError."""

    @property
    def name(self) -> str:
        """See `Wire`."""
        return self._wire().name

    def probe(self) -> Server:
        """See `Wire`."""
        return self._wire().probe()

    def retention_seconds(self) -> int | None:
        """See `Wire`."""
        return self._wire().retention_seconds()

    def started(self) -> str | None:
        """See `Wire`."""
        return self._wire().started()

    def write(self, body: bytes) -> None:
        """See `Wire`."""
        self._wire().write(body)

    def field_types(self, measurements: Sequence[str]) -> dict[tuple[str, str], frozenset[str]]:
        """See `Wire`."""
        return self._wire().field_types(measurements)

    def tags_of_type(self, measurement: str, field: str, kind: str) -> list[Any] | None:
        """See `Wire`."""
        return self._wire().tags_of_type(measurement, field, kind)

    def check_may_write(self) -> None:
        """See `Wire`."""
        self._wire().check_may_write()

    def scan(self, scan: Scan) -> Iterator[Block]:
        """See `Wire`."""
        return self._wire().scan(scan)

    def close(self) -> None:
        """See `Wire`."""
        self._wire().close()


def missing_bucket_refusal(error: BucketMissing, wire: Wire, *, by_id: bool) -> ReplicaRejected:
    """The cause of a read that found no bucket: the answer is the same for one that the token may not read.

    `by_id` when the bucket's name looks like an id, which writes accept but Flux does not.
    """
    try:
        wire.check_may_write()
    except ReplicaError:
        return error
    what = error.message.removesuffix(".")
    if by_id:
        return ReplicaRejected(
            REPLICA, f"{what}; records.uri gives its id.", "Give the bucket's name in records.uri instead."
        )
    return ReplicaRejected(
        REPLICA,
        f"{what}, although it may be written to.",
        "Allow the token or user to read the bucket too: its records are compared before anything is written.",
    )
