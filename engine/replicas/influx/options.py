"""Options for keeping one home in a bucket, and its outbox."""

from typing import Protocol

import msgspec


class InfluxOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options for keeping one site in a bucket."""

    site: str
    refresh_seconds: float = 5 * 86_400.0  # age at which an unchanged record is written again
    verify_seconds: float = (
        3_600.0  # how often payloads are read and hashed again, instead of reading hashes only
    )
    clock_skew_seconds_max: float = 60.0
    writer_slot: int = 0  # 0 to 999: two writers with different slots never write one point
    read_only: bool = False


class Outbox(Protocol):
    """Batches that must reach a replica even if this process dies first."""

    def put(self, replica: str, body: bytes) -> int:
        """Store a batch durably before it is sent; returns its number. Raises ReplicaUnavailable when full."""

    def pending(self, replica: str) -> list[tuple[int, bytes]]:
        """Batches not yet dropped, oldest first."""

    def drop(self, number: int) -> None:
        """Forget a batch that arrived."""


class OwnOutbox(Outbox, Protocol):
    """An outbox that is closed with the replica."""

    def close(self) -> None:
        """Release it. May be called twice."""
