"""A process of a fleet, for tests: a member of the consumer group that shares its partitions as a real one does."""

import time
from collections.abc import Callable
from functools import partial

from engine.errors import EngineError
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.group import GroupOwnership
from engine.replicas.kafka.open import open_shared


def member_of(access: Access, on_trouble: Callable[[EngineError], None]) -> GroupOwnership:
    """Not yet connected. Its session is as short as brokers allow."""
    return GroupOwnership(
        access,
        "worker",
        session_seconds=6,
        clock=time.monotonic,
        on_trouble=on_trouble,
        share=partial(open_shared, access, verify_seconds=3600),
    )
