"""Dates of revisions where a wall clock was wrong.

Revisions are ordered by their time, so a revision that was dated in 2099 would be behind all that is written after
the clock was set right, or take them along to 2099. When the clock shows an earlier time than the newest revision,
one of the two is wrong:

- a clock that shows a time before this program was made is: revisions follow the newest, a nanosecond apart;
- revisions that are later than now by more than a moment are, if they reach over no more than a month: they are
  given new dates, in their order, right before now, the first time that is known to be after them;
- a longer stretch of later revisions was written by a clock that ran at the usual rate: then this clock is wrong.

Every function works on a connection inside a write transaction that the caller holds.
"""

import apsw
import msgspec

from engine.core.guards.look import PLAUSIBLE_SINCE
from engine.errors import ReplicaRejected
from engine.replicas.history.retention import date_back

_NS = 1_000_000_000
_MOMENT_NS = 60 * _NS
_STRETCH_NS_MAX = 31 * 86_400 * _NS
_LATER = "SELECT at_ns FROM records WHERE at_ns > ? ORDER BY at_ns"
_TIME_NS_MAX = 2**63 - 1
_ROOM_NS = 365 * 86_400 * _NS  # behind the newest revision, for those that follow


class Dates(msgspec.Struct, frozen=True):
    """The time of the first revision to be written, and how many got new dates, the newest from which time."""

    first_ns: int
    redated: int = 0
    newest_ns: int = 0


def find_dates(connection: apsw.Connection, replica: str, at: float) -> Dates:
    """When the next revisions are to be dated, written `at` Unix seconds; gives a new date to what cannot be true.

    Raises ReplicaRejected when the clock shows a time that cannot be stored.
    """
    now_ns = int(at * _NS)
    if not 0 <= now_ns < _TIME_NS_MAX - _ROOM_NS:
        raise ReplicaRejected(
            replica,
            "This machine's clock shows a time before 1970 or after 2261, and revisions are dated by it.",
            "Nothing was written. Set the clock, best by NTP.",
        )
    newest_ns = _newest(connection)
    if newest_ns < now_ns:
        return Dates(now_ns)
    if now_ns < PLAUSIBLE_SINCE * _NS or newest_ns - now_ns <= _MOMENT_NS:
        return Dates(newest_ns + 1)
    later = [ns for (ns,) in connection.execute(_LATER, (now_ns,))]
    if later[-1] - later[0] > _STRETCH_NS_MAX:
        return Dates(newest_ns + 1)
    before_ns = _newest(connection, now_ns)
    start_ns = max(before_ns + 1, now_ns - len(later))
    # Ascending, and each to an earlier time that no other has.
    connection.executemany(
        "UPDATE records SET at_ns = ? WHERE at_ns = ?",
        ((start_ns + place, ns) for place, ns in enumerate(later)),
    )
    first_ns = max(now_ns, start_ns + len(later))
    date_back(connection, first_ns)
    return Dates(first_ns, len(later), newest_ns)


def _newest(connection: apsw.Connection, until_ns: int = _TIME_NS_MAX) -> int:
    [(newest,)] = connection.execute(
        "SELECT coalesce(max(at_ns), 0) FROM records WHERE at_ns <= ?", (until_ns,)
    )
    assert isinstance(newest, int), "at_ns is an INTEGER PRIMARY KEY"
    return newest
