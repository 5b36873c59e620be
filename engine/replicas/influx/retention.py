"""Decides when to write an unchanged live record again, so that retention never drops it.

With R the bucket's retention, every live record gets a new point before its newest is `min(R/2, refresh)` old, so
an engine outage of up to R/2 loses nothing. The age varies with the record's id, so that a home
written in one batch is not always refreshed in one batch.
"""

from zlib import crc32

from engine.core.counts import plural
from engine.core.records.record import Key
from engine.core.times import rfc3339
from engine.errors import HistoryForgotten, ReplicaRejected
from engine.replicas.influx.schema.points import REPLICA

RETENTION_SECONDS_MIN = 24 * 3600

_NS = 1_000_000_000


def refresh_seconds(retention_seconds: int | None, wanted_seconds: float) -> float:
    """The maximum age of a live record's newest point before it is renewed, seconds.

    `retention_seconds` is 0 for unlimited, None when unknown. Raises ReplicaRejected when the retention is too short.
    """
    if not retention_seconds:
        return wanted_seconds
    if retention_seconds < RETENTION_SECONDS_MIN:
        raise ReplicaRejected(
            REPLICA,
            f"The bucket keeps points for {plural(retention_seconds / 3600, 'hour')} only; records would expire between passes.",
            "Give it a retention of at least 24 hours, or name another bucket in records.uri.",
        )
    return min(retention_seconds / 2, wanted_seconds)


def check_kept(
    at_ns: int, window_start_ns: int, now: float, retention_seconds: int | None, wanted_seconds: float
) -> None:
    """Raises HistoryForgotten where retention, at `now` (Unix seconds), may have dropped points that were live at `at_ns`.

    They are between `window_start_ns` (0 when no run gives it) and that time. An incomplete home is not returned.
    """
    if not retention_seconds:
        return
    kept_from_ns = int((now - retention_seconds) * _NS)
    if at_ns >= kept_from_ns and not 0 < window_start_ns < kept_from_ns:
        return
    # While the engine ran, every record was renewed within this time.
    known_from = now - retention_seconds + min(retention_seconds / 2, wanted_seconds)
    known_from = known_from if at_ns < known_from * _NS else now
    raise HistoryForgotten(
        REPLICA,
        known_from,
        f"The bucket keeps points for {plural(retention_seconds / 86_400, 'day')}, and some of that home may be gone.",
        rfc3339(known_from),
    )


def is_due(key: Key, newest_ns: int, now: float, within_seconds: float) -> bool:
    """Whether a live record's newest point is to be renewed now (`now` in Unix seconds)."""
    share = crc32(key.id.encode("utf-8", "surrogatepass")) / 2**32
    return now * _NS - newest_ns >= within_seconds * (0.75 + 0.25 * share) * _NS
