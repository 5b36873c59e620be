"""One writing run: markers before and after, points in batches, each of them read back.

Updates and creates are sent in separate batches, because servers with a limit on tag values silently drop updates when a
create in the same batch hits the limit. A refused record is reported by name and the others are written; from then on
this process sends it in a batch of its own.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from engine.core.counts import plural
from engine.core.records.record import Key
from engine.errors import ReplicaDiverged, ReplicaRejected
from engine.replicas.influx.schema.points import REPLICA, Point, batches, encode_point, key_of
from engine.replicas.influx.sending import Sender
from engine.replicas.influx.wires.wire import Scan, Wire

# Sent before the next read-back; the outbox has to hold as much at once: up to 32 MB.
_BATCHES_PER_WAVE = 8
_LINES_MAX = 5_000
_GAP_NS = 1_000_000_000


class Refused(msgspec.Struct, frozen=True):
    """A point that the server refused, and the reason."""

    point: Point
    error: ReplicaRejected


class Committer:
    """Writes points of one site to one wire. One thread at a time."""

    def __init__(self, wire: Wire, sender: Sender, site: str) -> None:
        self._wire = wire
        self._sender = sender
        self._site = site
        self._suspects: dict[Key, str] = {}  # refused before, with the refused hash

    def write(
        self,
        points: Sequence[Point],
        existing: frozenset[Key],
        run_id: str,
        beside: Sequence[bytes] = (),
    ) -> list[Refused]:
        """Write and read back; returns the refused points. When it raises ReplicaError, any of the points may be stored.

        `existing` are the keys that already have a point, live or not. `beside` are lines about the points, sent
        with them but neither read back nor required.
        """
        suspects = [p for p in points if self._suspects.get(p.key) == p.hash]
        others = [p for p in points if self._suspects.get(p.key) != p.hash]
        updates = [p for p in others if p.key in existing]
        creates = [p for p in others if p.key not in existing]
        by_line: dict[bytes, Point] = {}
        # Everything is encoded before anything is sent, so that a value that cannot be encoded stops the whole run.
        queue = [
            batch for group in (updates, creates) for batch in batches(self._encode(group, run_id, by_line))
        ]
        if queue and len(queue[-1]) + len(beside) <= _LINES_MAX:
            queue[-1] += beside
        else:
            queue += batches(beside)
        queue += [list(self._encode([point], run_id, by_line)) for point in suspects]
        refused: list[Refused] = []
        for first in range(0, len(queue), _BATCHES_PER_WAVE):
            wave = queue[first : first + _BATCHES_PER_WAVE]
            numbers = self._sender.keep(wave)
            fallen = [
                Refused(by_line[line], refusal.error)
                for batch in wave
                for refusal in self._sender.send(batch)
                for line in refusal.lines
                if line in by_line
            ]
            sent = [by_line[line] for batch in wave for line in batch if line in by_line]
            # A server may store the rest of a batch that it refuses: stored points were not refused.
            missing = self._missing(sent)
            refused += [r for r in fallen if (r.point.key, r.point.time_ns) in missing]
            self._check_confirmed(missing - {(r.point.key, r.point.time_ns) for r in fallen}, len(sent))
            self._sender.drop(numbers)
        self._remember(points, refused)
        return refused

    def send_marker(self, line: bytes, beside: Sequence[bytes] = ()) -> None:
        """Write a run marker, and lines whose loss does no harm. Raises ReplicaError, also when the marker is refused."""
        for refusal in self._sender.send([line, *beside]):
            if line in refusal.lines:
                raise refusal.error

    def _encode(self, points: Iterable[Point], run_id: str, by_line: dict[bytes, Point]) -> Iterator[bytes]:
        for point in points:
            line = encode_point(self._site, run_id, point)
            by_line[line] = point
            yield line

    def _missing(self, points: Sequence[Point]) -> set[tuple[Key, int]]:
        """The points that do not read back as written, by key and time."""
        expected = {(p.key, p.time_ns): (p.hash, p.payload.decode()) for p in points}
        for start_ns, stop_ns in windows(sorted(p.time_ns for p in points)):
            measurements = sorted({f"ha_{p.key.registry}" for p in points if start_ns <= p.time_ns < stop_ns})
            scan = Scan(
                measurements=tuple(measurements),
                site=self._site,
                fields=("hash", "payload"),
                start_ns=start_ns,
                stop_ns=stop_ns,
            )
            for measurement, rows in self._wire.scan(scan):
                for time_ns, tag, hash_, payload in rows:
                    key = key_of(measurement, tag)
                    if key is not None and expected.get((key, time_ns)) == (hash_, payload or ""):
                        del expected[key, time_ns]
        return set(expected)

    def _check_confirmed(self, missing: set[tuple[Key, int]], sent: int) -> None:
        if not missing:
            return
        self._sender.is_doubtful = True
        first, _ = min(missing)
        raise ReplicaDiverged(
            REPLICA,
            f"InfluxDB confirmed {plural(sent, 'point')}, but {len(missing)} of them {'does' if len(missing) == 1 else 'do'} not read back, {first} first.",
            "They are written again. If it stays so, look for retention, limits or another writer of the bucket.",
        )

    def _remember(self, points: Sequence[Point], refused: Sequence[Refused]) -> None:
        for point in points:
            self._suspects.pop(point.key, None)
        self._suspects.update((r.point.key, r.point.hash) for r in refused)


def windows(times: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges [start, stop) that cover ascending times, split where two are more than a second apart."""
    start = previous = None
    for time_ns in times:
        if start is None or previous is None:
            start = time_ns
        elif time_ns - previous > _GAP_NS:
            yield start, previous + 1
            start = time_ns
        previous = time_ns
    if start is not None and previous is not None:
        yield start, previous + 1


def refusal_error(refused: Sequence[Refused], total: int) -> ReplicaRejected:
    """One error that names the refused records and the reason."""
    named = ", ".join(str(r.point.key) for r in refused[:5]) + (", ..." if len(refused) > 5 else "")
    first = refused[0].error
    rest = "; the others were written" if len(refused) < total else ""
    error = ReplicaRejected(
        REPLICA,
        f"InfluxDB refused {len(refused)} of {total} records ({named}){rest}. {first.message}",
        first.hint,
    )
    error.unwritten = frozenset(r.point.key for r in refused)
    return error
