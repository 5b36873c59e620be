"""The InfluxDB server that holds the records: its generation, its clock compared with ours, and its retention."""

from collections.abc import Callable

from engine.core.counts import plural
from engine.errors import ReplicaRejected
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.retention import refresh_seconds
from engine.replicas.influx.schema.points import REPLICA
from engine.replicas.influx.wires.wire import Wire

_NS = 1_000_000_000
AHEAD_SECONDS = 60.0  # points dated later than this are a mistake
_REFRESH_SECONDS_MAX_3 = 86_400.0


class InfluxServer:
    """The known facts about the server behind a wire. Every method that queries it raises ReplicaError."""

    def __init__(self, wire: Wire, options: InfluxOptions, clock: Callable[[], float]) -> None:
        """Does not connect. `clock` gives Unix seconds."""
        self._wire = wire
        self._options = options
        self._clock = clock
        self._version: str | None = None  # as first reported
        self.retention_seconds: int | None = None  # the bucket's, as last read

    def version(self) -> str:
        """The server's version, requested once: a wire reads each generation differently."""
        if self._version is None:
            self._version = self._wire.probe().version
        return self._version

    def read_state(self) -> object:
        """The state whose change makes the next look a verifying one: the bucket's retention and the server's start."""
        self.retention_seconds = self._wire.retention_seconds()
        return self.retention_seconds, self._wire.started()

    def ahead_ns(self) -> int:
        """The latest plausible time of a point, nanoseconds."""
        return int((self._clock() + AHEAD_SECONDS) * _NS)

    def commit_at(self, read_at: float) -> float:
        """The time of a commit: when Home Assistant was read, unless retention would drop such points (a backup's)."""
        if self.retention_seconds and read_at < self._clock() - self.retention_seconds / 2:
            return self._clock()
        return read_at

    def refresh_within(self) -> float:
        """The age in seconds at which a record is renewed. Raises ReplicaRejected when the retention is too short."""
        wanted = self._options.refresh_seconds
        # 3.x is read in slices of less than three days, so recent points take a single query.
        if self.version().startswith("3."):
            wanted = min(wanted, _REFRESH_SECONDS_MAX_3)
        return refresh_seconds(self.retention_seconds, wanted)

    def check_may_write(self) -> None:
        """Raises ReplicaRejected when opened read-only, or when the clocks differ too much to order records."""
        if self._options.read_only:
            what = "InfluxDB was opened for reading only, so nothing is written to it."
            raise ReplicaRejected(REPLICA, what, "Run without --dry-run.")
        self.refresh_within()
        probed = self._wire.probe()
        skew = 0.0 if probed.at is None else self._clock() - probed.at
        if abs(skew) > self._options.clock_skew_seconds_max:
            which = "ahead of" if skew > 0 else "behind"
            what = f"This machine's clock is {plural(abs(skew), 'second', '.0f')} {which} InfluxDB's, and records are ordered by time."
            raise ReplicaRejected(REPLICA, what, "Nothing was written. Set both clocks, best by NTP.")
