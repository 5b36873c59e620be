"""The closed sets of words that describe a pass: status, mode, outcome and guard.

The values are written as they are, so reports, logs, metrics and the API show them. Causes and kinds of differences
are defined with the comparison (`core/compare/diff.py`).
"""

from collections.abc import Iterable
from enum import StrEnum


class SyncStatus(StrEnum):
    """The possible statuses of a replica, the most alarming last."""

    IN_SYNC = "in_sync"
    OUT_OF_SYNC = "out_of_sync"
    BLOCKED = "blocked"  # a guard held operations back
    UNKNOWN = "unknown"  # a side could not be read


_SEVERITY = {status: severity for severity, status in enumerate(SyncStatus)}


def combined_status(statuses: Iterable[SyncStatus]) -> SyncStatus:
    """The overall status: the most alarming of the parts; unknown without parts."""
    return max(statuses, key=_SEVERITY.__getitem__, default=SyncStatus.UNKNOWN)


class Mode(StrEnum):
    """The purpose of a pass; only one in mode `apply` writes."""

    APPLY = "apply"
    DRY_RUN = "dry_run"
    OBSERVE = "observe"
    DRIFT = "drift"


class Outcome(StrEnum):
    """The outcome of a difference in a pass."""

    PLANNED = "planned"
    APPLIED = "applied"
    HELD = "held"  # by a guard
    WAITING = "waiting"  # for the second look at a delete, or for such a delete
    OBSERVED = "observed"
    FAILED = "failed"
    REPORTED = "reported"  # no operation is planned, as for a foreign row


class GuardName(StrEnum):
    """The guards that refuse operations."""

    RECOVERY_MODE = "recovery_mode"
    WRONG_INSTANCE = "wrong_instance"
    NOT_RUNNING = "not_running"
    STORAGE_CORRUPTION = "storage_corruption"
    HEALTH_UNREAD = "health_unread"
    REGISTRY_UNREAD = "registry_unread"
    EMPTY_SOURCE = "empty_source"
    DELETE_RATIO = "delete_ratio"
    DELETE_COUNT = "delete_count"


# These guards mean that the source is not this home: then no comparison counts.
NOT_THIS_HOME = frozenset({GuardName.RECOVERY_MODE, GuardName.WRONG_INSTANCE})
