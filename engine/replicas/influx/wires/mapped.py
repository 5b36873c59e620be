"""Wire v2 with large reads over InfluxQL, where that demonstrably reads the same bucket.

InfluxQL reads a home in a third to a half of the time that Flux takes (`bench/README.md`), but it finds a bucket
through the server's DBRP mappings, which an administrator may point at another bucket. So no mapping is
trusted: the run markers, whose times and run ids differ between buckets, are read over both,
and only if they are equal do the reads that follow them use InfluxQL. Everything else uses wire v2.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from engine.errors import ReplicaError
from engine.replicas.influx.wires.wire import Block, ForwardingWire, Scan, Wire

_Rows = list[tuple[str, list[Any]]]


class MappedWire(ForwardingWire):
    """A `Wire` that combines two on one server: v2, and v1 for reads of many records."""

    def __init__(self, v2: Wire, v1: Wire) -> None:
        """Takes ownership of both: `close` closes them."""
        self._v2 = v2
        self._v1 = v1
        self._markers: tuple[Scan, _Rows] | None = None  # Flux's newest answer
        self._is_mapped: bool | None = (
            None  # whether InfluxQL gives the same answer; None before the first comparison
        )

    def _wire(self) -> Wire:
        return self._v2

    def scan(self, scan: Scan) -> Iterator[Block]:
        """See `Wire`."""
        if scan.newest_max is not None:
            blocks = list(self._v2.scan(scan))
            self._markers, self._is_mapped = (scan, _rows_of(blocks)), None
            yield from blocks
        elif not scan.ids and self._leads_to_the_bucket(scan):
            yield from self._v1.scan(scan)
        else:
            yield from self._v2.scan(scan)

    def close(self) -> None:
        """Close connections. May be called twice."""
        self._markers, self._is_mapped = None, None
        self._v1.close()
        self._v2.close()

    def _leads_to_the_bucket(self, scan: Scan) -> bool:
        """Whether InfluxQL returns the same markers as Flux's last answer, for this site."""
        if self._markers is None:
            return False
        markers, rows = self._markers
        if not rows or markers.site is None or markers.site != scan.site:
            return False
        if self._is_mapped is None:
            self._is_mapped = False
            # No mapping, no permission, or a proxy without /query. If the server is away, Flux will report it.
            with suppress(ReplicaError):
                self._is_mapped = _rows_of(self._v1.scan(markers)) == rows
        return self._is_mapped


def _rows_of(blocks: Iterator[Block] | Sequence[Block]) -> _Rows:
    return [(measurement, row) for measurement, rows in blocks for row in rows]
