"""Splits a scan into slices of time for InfluxDB 3, which refuses a query that needs more than 432 files.

A file covers ten minutes (3.10, `--query-file-limit`, read 2026-11), so 72 hours are the maximum. Nothing older than
thirty days is searched, because every slice is a query. Live records are renewed daily there.
"""

from collections.abc import Iterator

from msgspec import structs

from engine.replicas.influx.wires.wire import Scan

_HOUR_NS = 3600 * 1_000_000_000
SLICE_NS = 60 * _HOUR_NS
REACH_NS = 30 * 24 * _HOUR_NS


def slices(scan: Scan, now_ns: int) -> Iterator[Scan]:
    """The scans that replace it, newest first; the first also covers points dated in the future."""
    stop_ns = scan.stop_ns
    until_ns = now_ns if stop_ns is None else min(stop_ns, now_ns)
    oldest_ns = max(scan.start_ns, now_ns - REACH_NS)
    if scan.start_ns >= until_ns:
        yield scan
        return
    while until_ns > oldest_ns:
        from_ns = max(oldest_ns, until_ns - SLICE_NS)
        yield structs.replace(scan, start_ns=from_ns, stop_ns=stop_ns)
        until_ns = stop_ns = from_ns
