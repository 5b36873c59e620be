"""The past in InfluxDB: a record's revisions, the holders of a name, and the home at a time. Reads only.

Rows are read as a stream, so that memory is used only for the ones returned.
"""

from collections.abc import Callable, Iterable, Iterator
from heapq import nlargest, nsmallest
from operator import attrgetter

from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.replicas.influx.lookup import Lookup
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.reading import newest_rows, revision_of
from engine.replicas.influx.retention import check_kept
from engine.replicas.influx.schema.markers import RunMarkers
from engine.replicas.influx.schema.points import MEASUREMENTS, TOMBSTONE, tag_of
from engine.replicas.influx.server import InfluxServer
from engine.replicas.influx.wires.wire import Block, Wire

_NS = 1_000_000_000
_MS_IN_NS = 1_000_000
_REVISION = ("op", "rev", "hash", "run", "schema", "payload")

_commit_time = attrgetter("at")


class InfluxPast:
    """The reads of the past in `InfluxRecords`. Every method raises ReplicaError."""

    def __init__(self, wire: Wire, options: InfluxOptions, clock: Callable[[], float]) -> None:
        """Does not connect. `clock` gives Unix seconds."""
        self._wire = wire
        self._options = options
        self._clock = clock
        self._server = InfluxServer(wire, options, clock)
        self._runs = RunMarkers(wire, options.site)
        self._lookup = Lookup(wire, options.site)

    def timeline(self, key: Key, *, after: int = 0, limit: int | None = None) -> list[Revision]:
        """The revisions of a key after the one numbered `after`, oldest first, at most `limit`."""
        return page_of(self._revisions(key), after, limit)

    def newest(self, key: Key, limit: int, *, before: int | None = None) -> list[Revision]:
        """The newest revisions of a key, before the one numbered `before` if given; oldest first, at most `limit`."""
        return newest_of(self._revisions(key), limit, before)

    def count(self, key: Key) -> int:
        """The number of revisions of a key."""
        return sum(1 for _ in self._revisions(key))

    def _revisions(self, key: Key) -> Iterator[Revision]:
        self._server.version()
        scan = self._lookup.scan_of((key.registry,), _REVISION, ids=(tag_of(key.id),))
        return revisions_in(self._wire.scan(scan), key)

    def holders(self, entity_id: str) -> list[Key]:
        """The entities that had this entity_id within the last two years, as far back as the bucket keeps them."""
        self._server.version()
        now_ns = self._server.ahead_ns()
        return self._lookup.holders(entity_id, now_ns, lambda: self._runs.window_start_ns(now_ns))

    def as_of(self, at: float) -> dict[Key, Revision]:
        """The newest revision of every record live at a time, to the millisecond; a run that had begun counts in full."""
        self._server.version()
        stop_ns = self._runs.end_ns(int(at * _NS) + _MS_IN_NS)
        start_ns = self._runs.window_start_ns(stop_ns)
        kept_seconds = self._wire.retention_seconds()
        check_kept(stop_ns, start_ns, self._clock(), kept_seconds, self._options.refresh_seconds)
        scan = self._lookup.scan_of(MEASUREMENTS.values(), _REVISION, start_ns=start_ns, stop_ns=stop_ns)
        newest = newest_rows(self._wire.scan(scan))
        revisions = {key: revision_of(key, row) for key, row in sorted(newest.items())}
        return {key: revision for key, revision in revisions.items() if revision.hash != TOMBSTONE}


def revisions_in(blocks: Iterable[Block], key: Key) -> Iterator[Revision]:
    """All revisions of a key, in any order. A refresh is not a revision: it repeats the content."""
    revisions = (revision_of(key, row) for block in blocks for row in block.rows)
    return (r for r in revisions if r.op != "refresh")


def page_of(revisions: Iterable[Revision], after: int, limit: int | None) -> list[Revision]:
    """The revisions after the one numbered `after`, oldest first, at most `limit`."""
    found = (r for r in revisions if r.rev > after)
    return sorted(found, key=_commit_time) if limit is None else nsmallest(limit, found, key=_commit_time)


def newest_of(revisions: Iterable[Revision], limit: int, before: int | None) -> list[Revision]:
    """The newest revisions, before the one numbered `before` if given; oldest first, at most `limit`."""
    found = (r for r in revisions if before is None or r.rev < before)
    return nlargest(limit, found, key=_commit_time)[::-1]
