"""The activity of the last day, in slots of ten minutes: changes, the delay of each until it was written, and replicas' lag.

Changes are counted from the feed of the rows, and their delays read from the records, so both reach back beyond a restart;
with InfluxDB delays are known only since this process started. Lag is sampled, so it is too.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import anyio

from api.page.sparkline import Sparkline, bars, line, peaks
from api.page.wording import count_text, span_text
from api.ports import Clock, ReadTransaction, RowsReader, StatusSource
from engine.core.state.report import Report, write_lag_seconds
from engine.core.state.status import lag_seconds
from engine.core.times import rfc3339
from engine.errors import EngineError

SLOT_SECONDS = 600
SLOTS = 144
LOOK_SECONDS = 10.0
_DELAY_FLOOR = 1.0  # the top of the scale, unless a delay was longer
_DELAYS_MAX = 200  # kept per slot
_LAG_FLOOR = 60.0  # the top of the scale, unless lag was greater
_LAG_SLOTS_MIN = 3  # fewer make no line
_WRITES_MAX = 200
# Delays in a first fill, or in a catch-up after a long absence, are not typical.
_RECORDS_MAX = 50

WriteId = tuple[str, str, str]  # run id, registry, id


# The delays of the updates since a time: (Unix seconds, seconds). Raises ReplicaError.
RecordedDelays = Callable[[float], Awaitable[Sequence[tuple[float, float]]]]


async def _no_delays(_since: float) -> Sequence[tuple[float, float]]:
    return ()


class Activity:
    """Call `on_pass` after each pass, and run `run` in a task group."""

    def __init__(self) -> None:
        self._delays: dict[int, list[float]] = {}
        self._has_recorded = False
        self._lags: dict[str, dict[int, float]] = {}
        self._changes: dict[int, int] = {}
        self._has_counted = False
        self._seen = 0
        self._writes: OrderedDict[WriteId, float] = OrderedDict()

    async def run(
        self,
        status: StatusSource,
        rows_reader: RowsReader,
        clock: Clock,
        recorded: RecordedDelays = _no_delays,
    ) -> None:
        """Sample periodically, until cancelled. `recorded` gives the delays from before this process."""
        while True:
            await self.look(status, rows_reader, clock(), recorded)
            await anyio.sleep(LOOK_SECONDS)

    async def look(
        self,
        status: StatusSource,
        rows_reader: RowsReader,
        now: float,
        recorded: RecordedDelays = _no_delays,
    ) -> None:
        """Record, at `now` (Unix seconds), each replica's lag and the changes since the last call."""
        slot = int(now // SLOT_SECONDS)
        with suppress(EngineError):  # retried with the next sample
            await self._recall(recorded, slot)
        for replica in status().replicas:
            lag = lag_seconds(replica, now)
            slots = self._lags.setdefault(replica.replica, {})
            if lag is not None:
                slots[slot] = max(lag, slots.get(slot, 0.0))
            _forget(slots, slot)
        # The page reports that the store cannot be read; here it is retried soon.
        with suppress(EngineError):
            await self._count(rows_reader, slot)
        _forget(self._changes, slot)
        _forget(self._delays, slot)

    async def _count(self, rows_reader: RowsReader, slot: int) -> None:
        seen, since = self._seen, float((slot - SLOTS + 1) * SLOT_SECONDS)

        def job(transaction: ReadTransaction) -> tuple[int, list[tuple[int, int]], bool]:
            newest = transaction.feed_bounds()[1]
            is_other = newest < seen  # the file at the path was replaced
            return newest, transaction.change_counts(0 if is_other else seen, since, SLOT_SECONDS), is_other

        newest, counts, is_other = await rows_reader.read(job)
        if is_other:
            self._changes.clear()
        for at, count in counts:
            self._changes[at] = self._changes.get(at, 0) + count
        self._seen = newest
        self._has_counted = True

    async def _recall(self, recorded: RecordedDelays, slot: int) -> None:
        """Read the day's delays from the records once; this process's own writes are recorded as they happen."""
        if self._has_recorded:
            return
        found = await recorded(float((slot - SLOTS + 1) * SLOT_SECONDS))
        self._has_recorded = True
        self._delays.clear()  # the records include those of this process
        for at, seconds in found:
            self._keep_delay(at, seconds)

    def _keep_delay(self, at: float, seconds: float) -> None:
        kept = self._delays.setdefault(int(at // SLOT_SECONDS), [])
        if len(kept) < _DELAYS_MAX:
            kept.append(seconds)

    def on_pass(self, report: Report, now: float) -> None:
        """Record how long Home Assistant's changes took to reach the rows, at `now` (Unix seconds)."""
        if len(report.records) > _RECORDS_MAX:
            return
        for record in report.records:
            took = write_lag_seconds(record, now) if record.replica == "sqlite" else None
            if took is not None:
                self._writes[report.run_id, record.registry, record.key] = took
                self._keep_delay(now, took)
        while len(self._writes) > _WRITES_MAX:
            self._writes.popitem(last=False)

    def write_seconds(self, write: WriteId) -> float | None:
        """The seconds from Home Assistant's change to the write of a record; None if unknown."""
        return self._writes.get(write)

    def changes_day(self, now: float) -> Sparkline | None:
        """Changes by slot over the day before `now` (Unix seconds); None until they were counted."""
        if not self._has_counted:
            return None
        counts = [self._changes.get(slot, 0) for slot in _slots(now)]
        label = f"{count_text(sum(counts), 'change')} in the last 24 hours"
        if any(counts):
            most = max(range(SLOTS), key=counts.__getitem__)
            label += f", most around {_time_text(_slots(now)[most])}: {counts[most]:,}"
        return bars(counts, label)

    def delays_day(self, now: float) -> Sparkline | None:
        """The longest delay of a change, seconds, by slot over the last day; None if none is known."""
        slots = _slots(now)
        found = sorted(seconds for slot in slots for seconds in self._delays.get(slot, ()))
        if not found:
            return None
        half, most = found[len(found) // 2], found[min(len(found) - 1, len(found) * 95 // 100)]
        label = (
            f"Written behind Home Assistant's change: half of them within {span_text(half)}, "
            f"95 % within {span_text(most)}, the slowest after {span_text(found[-1])}"
        )
        return peaks([max(self._delays.get(slot, ()), default=None) for slot in slots], _DELAY_FLOOR, label)

    def lag_day(self, replica: str, now: float) -> Sparkline | None:
        """A replica's greatest lag, in seconds, by slot over the last day; None while there is too little to show."""
        lags = self._lags.get(replica, {})
        values = [lags.get(slot) for slot in _slots(now)]
        known = [value for value in values if value is not None]
        if len(known) < _LAG_SLOTS_MIN:
            return None
        covered = len(known) * SLOT_SECONDS
        label = f"Lag over the last {span_text(covered)}: at most {span_text(max(known))}"
        return line(values, _LAG_FLOOR, label)


def _slots(now: float) -> range:
    newest = int(now // SLOT_SECONDS)
    return range(newest - SLOTS + 1, newest + 1)


def _forget(slots: dict[int, float] | dict[int, int] | dict[int, list[float]], newest: int) -> None:
    for slot in [slot for slot in slots if slot <= newest - SLOTS]:
        del slots[slot]


def _time_text(slot: int) -> str:
    return f"{rfc3339(slot * SLOT_SECONDS)[11:16]} UTC"
