"""Estimates the growth of the history file from the newest revisions.

Ignores the first revision of each record, because a home is filled only once. Works on a connection inside a transaction that
the caller holds.
"""

from typing import cast

import apsw

_NS = 1_000_000_000
_DAY_NS = 86_400 * _NS
_LOOKED_BACK_NS = 7 * _DAY_NS
_SAMPLE_MAX = 5_000
# Overhead of a row: its header and its index entry's; and the unused share of a page.
_OVERHEAD_BYTES, _FILL = 40, 1.1
_SAMPLE = """SELECT count(*), min(at_ns), coalesce(sum(iif(rev > 1, 1, 0)), 0), coalesce(sum(iif(rev > 1, bytes, 0)), 0) FROM (
  SELECT at_ns, rev, length(payload) + 2 * (length(registry) + length(id)) + length(op) + length(hash) + length(digest)
    + length(run_id) + 24 AS bytes FROM records WHERE at_ns > ? AND at_ns <= ? ORDER BY at_ns DESC LIMIT ?)"""


def bytes_per_second(connection: apsw.Connection, now_ns: int) -> float:
    """The file's growth per second in the last week, or over the newest revisions."""
    [row] = connection.execute(_SAMPLE, (now_ns - _LOOKED_BACK_NS, now_ns, _SAMPLE_MAX))
    sampled, oldest_ns, revisions, bytes_ = cast("tuple[int, int, int, float]", row)
    if not sampled:
        return 0.0
    if sampled == _SAMPLE_MAX:
        span_ns = now_ns - oldest_ns
    else:
        [(first_ns,)] = connection.execute("SELECT min(at_ns) FROM records")
        assert isinstance(first_ns, int), "at_ns is an INTEGER PRIMARY KEY"
        # One hour of history predicts little about a day.
        span_ns = max(min(now_ns - first_ns, _LOOKED_BACK_NS), _DAY_NS)
    grown = (bytes_ + revisions * _OVERHEAD_BYTES) * _FILL
    return float(grown) / max(span_ns / _NS, 1.0)
