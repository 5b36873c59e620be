"""Reads the markers around writing runs: how far back live records reach, and where a run ended.

Searches backwards from the newest, in growing steps, so that the cost does not grow with the number of runs.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from engine.core.home.list_order import decode_order
from engine.core.records.record import Key
from engine.replicas.influx.schema.points import RUN_MEASUREMENT
from engine.replicas.influx.wires.wire import Scan, Wire

_NS = 1_000_000_000
_MARKERS_MAX = 20
# How far back the search goes first; then eight times as far, and so on.
_STEP_NS = 86_400 * _NS
_STEP_FACTOR = 8
_RUN_NS_MAX = 3600 * _NS


class Commit(msgspec.Struct, frozen=True):
    """The end of a run: the time from which every live record has a point, and the positions of areas and floors."""

    start_ns: int = 0  # 0: unknown, so everything is read
    order: dict[Key, int] = {}


class RunMarkers:
    """The run markers of one site on one wire. Every method raises ReplicaError."""

    def __init__(self, wire: Wire, site: str) -> None:
        self._wire = wire
        self._site = site

    def last_commit(self, before_ns: int) -> Commit:
        """The commit of the newest run that ended before a time; an empty one if none did."""
        for at_ns, state, _, window_seconds, list_order in self._newest_first(stop_ns=before_ns):
            if state == "commit" and isinstance(window_seconds, int) and window_seconds >= 0:
                return Commit(max(0, int(at_ns) - window_seconds * _NS), decode_order(list_order))
        return Commit()

    def window_start_ns(self, before_ns: int) -> int:
        """The time from which every record live before a given time has a point; 0 when no run gives it."""
        return self.last_commit(before_ns).start_ns

    def end_ns(self, stop_ns: int) -> int:
        """The given time, or, if a run was under way then, just after that run's commit."""
        newest = next(self._newest_first(stop_ns=stop_ns), None)
        if newest is None or newest[1] != "begin":
            return stop_ns
        later = self._newest_first(start_ns=newest[0], stop_ns=newest[0] + _RUN_NS_MAX)
        ends: list[int] = [
            at_ns for at_ns, state, run_id, *_ in later if state == "commit" and run_id == newest[2]
        ]
        # A run may write twice, changes and then renewals; the first commit ends the run under way.
        return max(stop_ns, min(ends) + 1) if ends else stop_ns

    def _newest_first(self, *, start_ns: int = 0, stop_ns: int) -> Iterator[list[Any]]:
        """The markers [time, state, run, window_s, list_order]; reads only as far back as they are consumed."""
        step_ns = _STEP_NS
        while stop_ns > start_ns:
            from_ns = max(start_ns, stop_ns - step_ns)
            scan = Scan(
                measurements=(RUN_MEASUREMENT,),
                site=self._site,
                tags=(),
                fields=("state", "run", "window_s", "list_order"),
                start_ns=from_ns,
                stop_ns=stop_ns,
                newest_max=_MARKERS_MAX,
            )
            rows = sorted((row for _, rows in self._wire.scan(scan) for row in rows), key=lambda r: -r[0])
            yield from rows
            if len(rows) < _MARKERS_MAX:
                stop_ns, step_ns = from_ns, step_ns * _STEP_FACTOR
            else:
                stop_ns = rows[-1][0]
