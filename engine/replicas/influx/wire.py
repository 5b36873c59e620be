"""What the InfluxDB replica needs from a server, whichever API it speaks.

A scan is a plain selection of rows in a window of time; which row is newest is decided by the reader. That is
cheaper on every measured server than `last() GROUP BY id`, and means the same on all of them.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import msgspec


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

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of a row's values after its time."""
        return (*self.tags, *self.fields)


class Block(NamedTuple):
    """Some rows of one measurement: each a list of time in ns, then the scan's columns (None where absent)."""

    measurement: str
    rows: list[list[Any]]


class Server(msgspec.Struct, frozen=True):
    """What a server says of itself."""

    version: str  # "" when it does not tell
    wire: str  # v1 or v2
    at: float | None  # its clock, Unix seconds, to the second
    note: str = ""  # why this wire, for people


class Wire(Protocol):
    """One API of a server. Synchronous, one thread at a time. Every method raises ReplicaError or nothing."""

    @property
    def name(self) -> str:
        """v1 or v2."""

    def probe(self) -> Server:
        """Ask the server who it is. Says nothing about credentials."""

    def retention_seconds(self) -> int | None:
        """How long the bucket keeps points; 0 for ever, None when the server does not tell us."""

    def started(self) -> str | None:
        """A text that changes when the server restarts; None when it does not tell."""

    def write(self, body: bytes) -> None:
        """Write lines with times in ns. Returns only when the server said that all are stored (204)."""

    def check_may_write(self) -> None:
        """Raise unless the credentials allow to write to the bucket. Writes nothing."""

    def scan(self, scan: Scan) -> Iterator[Block]:
        """Read rows. Ends without an error only when all of them were read."""

    def close(self) -> None:
        """Close connections. May be called twice; the next call of another method opens them again."""
