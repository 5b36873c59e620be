"""Corrects the dates of revisions after a wrong wall clock.

Revisions are ordered by their time, so a revision dated in 2099 would come after everything written once
the clock is correct, or push later ones to 2099. When the clock shows an earlier time than the newest revision,
one of the two is wrong:

- the clock, if it shows a time before this program was built: new revisions follow the newest, a nanosecond apart;
- the revisions that are later than now by more than a moment, if they span no more than a month: they are
  redated, in their order, to just before now, the earliest time known to be after them;
- the clock again, if the later revisions span more than that: a clock that ran at the usual rate wrote them.

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
_ROOM_NS = 365 * 86_400 * _NS  # after the newest revision, for later ones


class Dates(msgspec.Struct, frozen=True):
    """The time of the next revision, the number of redated ones, and the newest time that was replaced."""

    first_ns: int
    redated: int = 0
    newest_ns: int = 0


def find_dates(connection: apsw.Connection, replica: str, at: float) -> Dates:
    """The dates for revisions written `at` Unix seconds; redates stored ones whose date cannot be true.

    Raises ReplicaRejected when the clock shows a time that cannot be stored.
    """
    now_ns = int(at * _NS)
    if not 0 <= now_ns < _TIME_NS_MAX - _ROOM_NS:
        raise ReplicaRejected(
            replica,
            "This machine's clock, which dates revisions, shows a time before 1970 or after 2261.",
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
    # Ascending, each to an earlier time that no other revision has.
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
