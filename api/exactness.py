"""The precision of the past at a time: in a thinned history, a record's state is known at the ends of intervals."""

from datetime import datetime

from api.app_context import AppContext
from api.past import in_timeline
from engine.core.records.record import Key

HEADER = "reconcile-exact-to-seconds"
_NO_RECORD = Key("", "")  # for the home alone


async def exactness(context: AppContext, at: datetime) -> dict[str, str]:
    """The header of an answer about a time; empty if it is exact. Raises Problem 501 and ReplicaError."""
    known = await in_timeline(context, lambda timeline: timeline.forgotten(_NO_RECORD))
    if known.thinned_until is None or at.timestamp() >= known.thinned_until:
        return {}
    return {HEADER: str(known.thinned_seconds)}
