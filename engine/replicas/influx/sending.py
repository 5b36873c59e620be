"""Sends batches until the server has them: again in doubt, in halves when refused, from the outbox after a crash.

A 204 is the only success. After a timeout or a broken connection the outcome is unknown, and the identical bytes
are sent again, which rewrites the same points. A refused batch is halved until the refused lines are isolated.

This runs in a worker thread that cannot be cancelled, so it waits only seconds. For a longer wait it passes the
delay that the server requested to the caller, who retries then.
"""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from engine.core.state.backoff import Backoff
from engine.errors import ReplicaError, ReplicaRejected
from engine.replicas.influx.options import Outbox
from engine.replicas.influx.schema.points import REPLICA
from engine.replicas.influx.wires.failures import BatchRefused, BatchTooLarge, InfluxUnavailable
from engine.replicas.influx.wires.wire import Wire

Batch = Sequence[bytes]  # lines without their ends

_ATTEMPTS_MAX = 5
_DELAY_SECONDS = 2 / 3  # half a second on average, then twice as long each time
# If the server requests more, or took longer to refuse, the caller waits, which can do so without blocking a thread.
_PATIENCE_SECONDS = 5.0
# The maximum of lines isolated per call; when more are refused, the cause is not in the lines.
_ISOLATED_MAX = 20


class RefusedLines(msgspec.Struct, frozen=True):
    """Lines that the server refused, and its error."""

    lines: tuple[bytes, ...]
    error: ReplicaRejected


class Sender:
    """Sends to one wire. `sleep` takes seconds; `jitter` returns a number in [0, 1), `clock` monotonic seconds."""

    def __init__(
        self,
        wire: Wire,
        outbox: Outbox | None,
        sleep: Callable[[float], None],
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        *,
        site: str | None = None,
    ) -> None:
        """`site`: send only this site's lines from the outbox; None: all."""
        self._site = site
        self._clock = clock
        self._wire = wire
        self._outbox = outbox
        self._sleep = sleep
        self._jitter = jitter
        self.is_doubtful = False  # whether an outcome was unknown or partial since this was last set to False
        self._noted: dict[str, str] = {}  # errors of the outbox, by attempted action
        self._unreported: dict[str, str] = {}  # those not reported yet

    def keep(self, sent: Sequence[Batch]) -> list[int]:
        """Put the batches in the outbox, before the first of them is sent; returns their numbers.

        An outbox that is full or cannot be written does not block sending: only a crash can then lose a batch,
        and the next comparison finds the loss.
        """
        numbers: list[int] = []
        try:
            for batch in sent if self._outbox is not None else ():
                assert self._outbox is not None
                numbers.append(self._outbox.put(REPLICA, b"\n".join(batch)))
        except ReplicaError as error:
            self._note("write", error)
            return numbers
        self._note("write", None)
        return numbers

    def drop(self, numbers: Sequence[int]) -> None:
        """Delete batches that arrived. One that cannot be deleted is sent once more, which changes nothing."""
        for number in numbers:
            assert self._outbox is not None
            with suppress(ReplicaError):
                self._outbox.drop(number)

    def take_note(self) -> str | None:
        """The outbox's current error; returned once, until the outbox works again."""
        notes, self._unreported = [*self._unreported.values()], {}
        return f"The outbox for InfluxDB cannot be used. {' '.join(notes)}" if notes else None

    def send_pending(self) -> None:
        """Send what an earlier process left in the outbox. Raises ReplicaError; then the rest stays there.

        An outbox that cannot be read does not block sending.
        """
        try:
            pending = self._outbox.pending(REPLICA) if self._outbox is not None else []
        except ReplicaError as error:
            self._note("read", error)
            return
        strange = [body for _, body in pending if not self._is_all_ours(body)]
        self._note("read", self._of_another_site() if strange else None)
        for number, body in pending:
            if body in strange:
                continue
            # Lines that are refused by now, for example as older than retention, are lost history.
            self.send(body.split(b"\n"))
            self.is_doubtful = True
            self.drop([number])

    def _is_all_ours(self, body: bytes) -> bool:
        return self._site is None or all(
            f",site={self._site},".encode() in line.partition(b" ")[0] + b"," for line in body.split(b"\n")
        )

    def _of_another_site(self) -> ReplicaError:
        return ReplicaRejected(
            REPLICA,
            f"The outbox holds lines of another site than {self._site}; they are not sent, and stay there.",
            "Put it beside the rows file that it belongs to; a new one is made here.",
        )

    def _note(self, attempt: str, error: ReplicaError | None) -> None:
        """Note an error to report once, however often it occurs, because it blocks nothing. None clears the attempt's error."""
        if error is None:
            self._noted.pop(attempt, None)
            self._unreported.pop(attempt, None)
        elif self._noted.get(attempt) != error.message:
            self._noted[attempt] = error.message
            self._unreported[attempt] = str(error)

    def send(self, batch: Batch) -> list[RefusedLines]:
        """Send the lines; returns those that the server refused. Raises ReplicaError when the cause is not in the lines."""
        refusals: list[RefusedLines] = []
        self._deliver(batch, refusals)
        return refusals

    def _deliver(self, batch: Batch, refusals: list[RefusedLines]) -> None:
        try:
            self._write(batch)
            return
        except (BatchRefused, BatchTooLarge) as error:
            self.is_doubtful = True
            if len(batch) == 1 or len(refusals) >= _ISOLATED_MAX:
                refusals.append(RefusedLines(tuple(batch), error))
                return
        except InfluxUnavailable as error:
            if not error.smaller or len(batch) == 1:
                raise
        middle = len(batch) // 2
        self._deliver(batch[:middle], refusals)
        self._deliver(batch[middle:], refusals)

    def _write(self, batch: Batch) -> None:
        body = b"\n".join(batch)
        backoff = Backoff(_DELAY_SECONDS, _PATIENCE_SECONDS, self._jitter)
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            began = self._clock()
            try:
                self._wire.write(body)
                return
            except InfluxUnavailable as error:
                self.is_doubtful = True
                if attempt == _ATTEMPTS_MAX or (error.smaller and len(batch) > 1 and attempt > 1):
                    raise
                # Never sooner than requested.
                delay = max(backoff.next_delay_within(_PATIENCE_SECONDS), error.retry_after_seconds or 0.0)
                if max(delay, self._clock() - began) > _PATIENCE_SECONDS:
                    raise
                self._sleep(delay)
