"""Decides whether the clock can be trusted enough to forget by it.

A wall clock alone is no evidence: a machine may boot in 2031, and everything would exceed any retention. Revisions
without gaps are evidence: a clock that was wrong for a while leaves a gap. So after a gap of more
than a month, up to now or between revisions, nothing is forgotten until revisions span more than a month after it.

Every function works on a connection inside a transaction that the caller holds.
"""

import apsw

from engine.core.counts import plural
from engine.core.guards.look import PLAUSIBLE_SINCE
from engine.core.times import rfc3339

_NS = 1_000_000_000
_MOMENT_NS = 60 * _NS
_DAY_NS = 86_400 * _NS
GAP_DAYS_MAX = 31
_GAP_NS_MAX = GAP_DAYS_MAX * _DAY_NS


def find_doubt(connection: apsw.Connection, now_ns: int) -> str | None:
    """Why this time cannot be trusted; None if it can be, or if there is nothing to forget."""
    newest_ns = _one(connection, "SELECT max(at_ns) FROM records")
    if newest_ns is None:
        return None
    if now_ns < PLAUSIBLE_SINCE * _NS or newest_ns - now_ns > _MOMENT_NS:
        return f"this machine's clock shows {_text(now_ns)}, and the newest revision is of {_text(newest_ns)}"
    if now_ns - newest_ns > _GAP_NS_MAX:
        days = (now_ns - newest_ns) // _DAY_NS
        return f"the newest revision is of {_text(newest_ns)}, {plural(days, 'day')} before what this machine's clock shows"
    begin_ns, has_older = _stretch_of(connection, newest_ns)
    if has_older and newest_ns - begin_ns <= _GAP_NS_MAX:
        return (
            f"for more than {GAP_DAYS_MAX} days before {_text(begin_ns)} there is no revision, and those since then "
            f"do not yet reach over {GAP_DAYS_MAX} days"
        )
    return None


def _stretch_of(connection: apsw.Connection, newest_ns: int) -> tuple[int, bool]:
    """Where the gapless run of revisions up to the newest begins, or a time far enough back in it; whether older ones exist."""
    begin_ns = newest_ns
    while newest_ns - begin_ns <= _GAP_NS_MAX:
        first_ns = _one(connection, "SELECT min(at_ns) FROM records WHERE at_ns >= ?", begin_ns - _GAP_NS_MAX)
        assert first_ns is not None
        if first_ns == begin_ns:
            older_ns = _one(connection, "SELECT max(at_ns) FROM records WHERE at_ns < ?", begin_ns)
            return begin_ns, older_ns is not None
        begin_ns = first_ns
    return begin_ns, True


def _one(connection: apsw.Connection, statement: str, *bindings: int) -> int | None:
    [(found,)] = connection.execute(statement, bindings)
    assert found is None or isinstance(found, int), "at_ns is an INTEGER PRIMARY KEY"
    return found


def _text(at_ns: int) -> str:
    return rfc3339(at_ns / _NS)
