"""What was true when. A moment is a number: how many changes of the truth had happened by then.

The wall clock may jump and ties are common, so the oracle compares moments and not times. Every reading of the
wall clock is unique, so that a timestamp which the engine shows identifies its moment.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import trio

from engine.core.records.record import Key
from tests.homes import NOON

# What readings differ by: small enough not to matter, and such that all sums of times here are exact.
_TICK = 2.0**-20


@dataclass(frozen=True)
class Stamp:
    """What was so when the wall clock was read."""

    transaction: int
    virtual: float  # seconds of virtual time, which never jump


class Moments:
    """The count of changes, and the clocks of the machine the engine runs on: one can be set, one cannot."""

    def __init__(self) -> None:
        self.now = 0
        self._offsets = [0.0]  # of the wall clock, the newest last
        self._readings = 0
        self._stamps: dict[float, Stamp] = {}

    def elapsed(self) -> float:
        """Seconds by the monotonic clock."""
        self._readings += 1
        value = self._running()
        self._stamps[value] = Stamp(self.now, trio.current_time())
        return value

    def wall(self) -> float:
        """Unix seconds, as this machine believes."""
        return NOON + self._running() + self._offsets[-1]

    def jump(self, seconds: float) -> None:
        """Set the wall clock."""
        self._offsets.append(self._offsets[-1] + seconds)

    def of(self, at: float) -> Stamp:
        """When it was that the wall clock, as it is set now or was once, calls this time.

        A time that was never read was invented: that is a KeyError.
        """
        reported = (at - NOON - offset for offset in reversed(self._offsets))
        return self._stamps[next((value for value in reported if value in self._stamps), at)]

    def _running(self) -> float:
        return (round(trio.current_time() / _TICK) + self._readings) * _TICK


class Timeline:
    """The content hash of every key, change after change; None while it is not there."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self._known: dict[Key, list[tuple[int, str | None]]] = {}
        self.now: dict[Key, str] = {}
        self.changed_at = 0  # the moment of the last change

    def note(self, key: Key, value: str | None) -> None:
        """The key is like this from now on."""
        if self.now.get(key) == value:
            return
        self._moments.now += 1
        self.changed_at = self._moments.now
        self._known.setdefault(key, []).append((self._moments.now, value))
        if value is None:
            del self.now[key]
        else:
            self.now[key] = value

    def become(self, values: Mapping[Key, str]) -> None:
        """Everything is like this from now on."""
        for key in sorted(self.now.keys() | values.keys()):
            self.note(key, values.get(key))

    def was(self, key: Key, value: str | None, since: int) -> bool:
        """Whether the key had this value at some moment from `since` until now."""
        last: str | None = None
        for transaction, then in self._known.get(key, ()):
            if transaction > since and last == value:
                return True
            last = then
        return last == value

    def keys(self) -> set[Key]:
        """All keys that ever were."""
        return set(self._known)


class Doubts:
    """Keys whose state the engine cannot know, and until when."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self._until: dict[Key, int | None] = {}

    def begin(self, key: Key) -> None:
        """From now on it cannot know."""
        self._until[key] = None

    def end(self, is_settled: Callable[[Key], bool]) -> None:
        """It can know of these from now on."""
        for key, until in self._until.items():
            if until is None and is_settled(key):
                self._moments.now += 1
                self._until[key] = self._moments.now

    def about_any(self, transaction: int) -> bool:
        """Whether there was anything about which it could not know at that moment."""
        return any(until is None or transaction < until for until in self._until.values())

    def about(self, key: Key, transaction: int) -> bool:
        """Whether it could not know about the key at that moment."""
        until = self._until.get(key, 0)
        return until is None or transaction < until
