"""InfluxDB as a records replica: a point for every version of every record; the newest point is the current one.

Nothing is ever deleted or rewritten in place: a delete is a tombstone, a repair a new point. The replica's
content is read by a plain scan of a window that the newest run marker bounds. An answer that is not provably
complete raises; it never becomes an empty home. Points are tagged with `site`, so many homes may share a bucket.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import structs

from engine import __version__
from engine.core.compare.plan import Operation
from engine.core.compare.stored import StoredRow
from engine.core.home.list_order import encode_order, later_order
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.core.records.record_json import decode_record
from engine.ports import Observed, Records, Run
from engine.replicas.history.revisions import draft_revisions, payload_fields
from engine.replicas.influx.commit import Committer, refusal_error
from engine.replicas.influx.options import InfluxOptions, OwnOutbox
from engine.replicas.influx.past import InfluxPast
from engine.replicas.influx.reading import (
    Holding,
    check_schema,
    holding_of,
    integer_or,
    needs_payloads,
    newest_rows,
    version_of_payload,
)
from engine.replicas.influx.retention import is_due
from engine.replicas.influx.schema.changes import change_lines
from engine.replicas.influx.schema.drafts import points_of, renewals
from engine.replicas.influx.schema.points import (
    MEASUREMENTS,
    REPLICA,
    TOMBSTONE,
    CommitClock,
    Point,
    RunMarker,
    encode_marker,
    live_digest,
)
from engine.replicas.influx.schema.shown import count_lines, shown_values
from engine.replicas.influx.sending import Sender
from engine.replicas.influx.server import AHEAD_SECONDS
from engine.replicas.influx.wires.wire import Wire

_NS = 1_000_000_000


class InfluxRecords(InfluxPast, Records):
    """InfluxDB as a `Records` replica. One thread at a time. Every method raises ReplicaError."""

    name = REPLICA
    stores_derived = False
    keeps_order = True

    def __init__(
        self,
        wire: Wire,
        options: InfluxOptions,
        *,
        outbox: OwnOutbox | None,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        """Does not connect. `clock` gives Unix seconds, `sleep` takes seconds."""
        super().__init__(wire, options, clock)
        self._outbox = outbox
        self._sender = Sender(wire, outbox, sleep, site=options.site)
        self._committer = Committer(wire, self._sender, options.site)
        self._times = CommitClock(options.writer_slot)
        self._held: Holding | None = None
        # Newest rows [time, tag, hash, rev, schema], as found by `read`.
        self._revs: dict[Key, list[Any]] = {}
        self._order: dict[Key, int] = {}
        self._server_state: object = None
        self._verified_at: float | None = None

    def data_version(self) -> int | None:
        """None: InfluxDB does not show whether another program wrote to it."""
        return None

    def file_signature(self) -> Hashable | None:
        """Always the same: there is no file."""
        return ()

    def observe(self, *, verify: bool | None = None) -> Observed:
        """The versions of all live records, including those that an earlier process left in the outbox.

        A verifying look reads the payloads and hashes them again. By default a look verifies if it is the
        process's first, or the first after a doubt (server restarted, retention changed, a write with unknown
        outcome), or `verify_seconds` after the last.
        """
        self._held = None
        self._revs.clear()
        if not self._options.read_only:
            # Before comparing: such a batch may hold the newest point of a record that looks equal now.
            self._sender.send_pending()
        self._server.version()
        now = self._clock()
        state = self._server.read_state()
        is_verified = verify if verify is not None else self._is_verification_due(now, state)
        commit = self._runs.last_commit(self._server.ahead_ns())
        start_ns, self._order = commit.start_ns, commit.order
        held = self._read_holding(start_ns, is_verified=is_verified)
        if not is_verified and needs_payloads(held.versions.values()):
            held, is_verified = self._read_holding(start_ns, is_verified=True), True
        if is_verified:
            self._verified_at, self._server_state, self._sender.is_doubtful = now, state, False
        self._times.seed(max((t for t in held.times.values() if t <= (now + AHEAD_SECONDS) * _NS), default=0))
        self._held = held
        return Observed(dict(held.versions))

    def read(self, keys: Iterable[Key]) -> dict[Key, StoredRow]:
        """The newest points of those keys that are not deleted."""
        rows = self._lookup.newest(list(keys), ("hash", "rev", "schema", "payload"), self._held)
        found = {}
        for key, (*newest, payload) in rows.items():
            _, _, hash_, _, schema = newest
            check_schema(key, schema)
            self._revs[key] = newest
            if hash_ != TOMBSTONE:
                found[key] = StoredRow(key, payload_fields(key.registry, payload))
        return found

    def apply(self, operations: Sequence[Operation], run: Run) -> None:
        """Write one point per operation (two for a changed id), and read them back.

        Raises ReplicaDiverged when the read-back differs, and ReplicaRejected, once the rest is written, when
        the server refused some.
        """
        if not operations:
            return
        self._server.check_may_write()
        if self._held is None:
            self.observe()
        assert self._held is not None
        drafts = [draft for operation in operations for draft in draft_revisions(operation, run)]
        if run.snapshot is not None:
            drafts += renewals(drafts, operations, run.snapshot.home, self._held.versions)
        newest = self._newest_revs({draft.key for draft in drafts})
        derived = run.snapshot.home.derived if run.snapshot is not None else {}
        next_ns = partial(self._times.next_ns, self._server.commit_at(run.at))
        points = list(points_of(drafts, newest, self._held.times, derived, next_ns))
        if run.snapshot is not None:
            read = run.snapshot
            self._order = later_order(self._order, read.home.positions, read.reading.registries)
        self._commit(points, frozenset(newest), run, operations)

    def upkeep(self, desired: Snapshot, run: Run) -> None:
        """Renew every record that retention would soon drop.

        This includes records that are not desired: one whose delete is held back must not expire.
        """
        if self._options.read_only:
            return
        if self._held is None:
            self.observe()
        assert self._held is not None
        within = self._server.refresh_within()
        due = [key for key, at_ns in self._held.times.items() if is_due(key, at_ns, run.at, within)]
        if not due:
            return
        self._server.check_may_write()
        rows = self._lookup.newest(due, ("hash", "rev", "schema", "modified_us", "payload"), self._held)
        base, points, derived = self._server.commit_at(run.at), [], desired.home.derived
        for key, (at_ns, _, hash_, rev, schema, modified_us, payload) in sorted(rows.items()):
            check_schema(key, schema)
            version = version_of_payload(key, hash_, payload)
            # The next comparison handles records that were altered or deleted meanwhile.
            if version == self._held.versions.get(key) and not version.startswith("?") and "~" not in version:
                points.append(
                    Point(
                        key,
                        self._times.next_ns(base, at_ns),
                        "refresh",
                        integer_or(rev, 1),
                        version,
                        payload.encode(),
                        integer_or(modified_us, -1),
                        shown_values(decode_record(key.registry, payload.encode()), derived.get(key)),
                    )
                )
        self._commit(points, frozenset(rows), structs.replace(run, snapshot=desired))

    def order(self) -> Mapping[Key, int]:
        """The positions of areas and floors in the newest commit; empty if it has none."""
        if self._held is None:
            self._server.version()
            return self._runs.last_commit(self._server.ahead_ns()).order
        return self._order

    def keep_order(self, positions: Mapping[Key, int], run: Run) -> None:
        """Write these positions in a commit; every later commit repeats them."""
        if self._held is None:
            self.observe()
        assert self._held is not None
        if positions == self._order:
            return  # this pass's commit already has them
        self._server.check_may_write()
        self._order = dict(positions)
        self._committer.send_marker(self._line_of(self._end((), run, self._held)))

    def take_note(self) -> str | None:
        """A note for the user about the outbox; returned once."""
        return self._sender.take_note()

    def close(self) -> None:
        """Close connections and the outbox. May be called twice."""
        self._wire.close()
        if self._outbox is not None:
            self._outbox.close()

    def _is_verification_due(self, now: float, state: object) -> bool:
        return (
            self._verified_at is None
            or self._sender.is_doubtful
            or state != self._server_state
            or now - self._verified_at >= self._options.verify_seconds
        )

    def _read_holding(self, start_ns: int, *, is_verified: bool) -> Holding:
        fields = ("hash", "schema", "payload") if is_verified else ("hash",)
        scan = self._lookup.scan_of(MEASUREMENTS.values(), fields, start_ns=start_ns)
        held = holding_of(newest_rows(self._wire.scan(scan)), is_verified=is_verified)
        held.start_ns = start_ns
        return held

    def _newest_revs(self, keys: set[Key]) -> dict[Key, list[Any]]:
        """The newest row [time, tag, hash, rev, schema] of each key that has one, live or not."""
        times = self._held.times if self._held is not None else {}
        read = {k: row for k in keys if (row := self._revs.get(k)) and row[0] == times.get(k)}
        unread = [key for key in keys if key not in read]
        return read | self._lookup.newest(unread, ("hash", "rev", "schema"), self._held)

    def _commit(
        self,
        points: Sequence[Point],
        existing: frozenset[Key],
        run: Run,
        operations: Sequence[Operation] = (),
    ) -> None:
        assert self._held is not None
        if not points:
            return
        base = self._server.commit_at(run.at)
        begin_ns = min(point.time_ns for point in points) - 1
        begin = RunMarker(time_ns=begin_ns, run=run.run_id, state="begin")
        self._committer.send_marker(self._line_of(begin))
        areas = {key.id for key in self._held.versions if key.registry == "area"}
        # Records that fill an empty replica were found, not changed.
        changed = operations if self._held.versions else ()
        changes = change_lines(self._options.site, run.run_id, changed, partial(self._times.next_ns, base))
        try:
            refused = self._committer.write(points, existing, run.run_id, list(changes))
        except Exception:
            self._held = None  # the content is unknown until the next look
            raise
        lost = {(r.point.key, r.point.time_ns) for r in refused}
        for point in points:
            if (point.key, point.time_ns) not in lost:
                self._held.put(point.key, point.hash, point.time_ns)
        end = self._end(points, run, self._held)
        counts = count_lines(self._options.site, run.snapshot, areas, end.time_ns) if run.snapshot else ()
        self._committer.send_marker(self._line_of(end), list(counts))
        if refused:
            raise refusal_error(refused, len(points))

    def _line_of(self, marker: RunMarker) -> bytes:
        return encode_marker(self._options.site, __version__, marker)

    def _end(self, points: Sequence[Point], run: Run, held: Holding) -> RunMarker:
        time_ns = self._times.next_ns(self._server.commit_at(run.at))
        oldest_ns = min(held.times.values(), default=time_ns)
        ops = [point.op for point in points]
        return RunMarker(
            time_ns=time_ns,
            run=run.run_id,
            state="commit",
            created=ops.count("create"),
            updated=ops.count("update") + ops.count("repair"),
            deleted=ops.count("delete"),
            refreshed=ops.count("refresh"),
            live=len(held.versions),
            digest=live_digest(held.versions),
            window_seconds=max(0, math.ceil((time_ns - oldest_ns) / _NS)) + 1,
            list_order=encode_order(self._order),
        )
