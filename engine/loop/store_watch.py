"""Whether another program wrote to a replica's store since the engine last looked at it.

The engine looks every `loop.watch_seconds`, unless a pass or a look does not return. Then files that are not certainly
those of the last look may have been written to.
"""

from collections.abc import Callable, Collection, Hashable

from engine.core.records.record import Key
from engine.core.state.status import ReplicaStatus
from engine.errors import ReplicaError
from engine.ports import Replica
from engine.process.offload import Offload

_LATE_SECONDS = 2.0  # beyond the interval; a pass over a large home on a slow machine takes as long


class StoreWatch:
    """Looks at one replica's store. `clock` never jumps."""

    def __init__(
        self, replica: Replica, offload: Offload, clock: Callable[[], float], watch_seconds: float
    ) -> None:
        self._replica = replica
        self._offload = offload
        self._clock = clock
        self._late_seconds = watch_seconds + _LATE_SECONDS
        self._looked_at = clock()
        self._signature: Hashable | None = None  # of the files at the last look; None: unknown
        self._data_version: int | None = None  # of the content that was last read
        self._is_known = False  # whether there is such a content
        self._doubted: tuple[ReplicaStatus, ReplicaStatus] | None = (
            None  # a status, and what was shown instead
        )

    async def is_changed(self) -> bool:
        """Whether another program wrote since the content was last read; False if it is not known anyway."""
        if not self._is_known:
            return False
        signature = self._replica.file_signature()
        if signature is None or signature != self._signature:
            try:
                is_changed = await self._offload(self._replica.data_version) != self._data_version
            except ReplicaError:
                is_changed = True  # the pass reports the error
            if is_changed:
                self._signature = None
                return True
        self.note_look(signature, self._data_version)
        return False

    def note_look(self, signature: Hashable | None, data_version: int | None) -> None:
        """Note a look that has ended: the signature of the files from before it, and the data version of what it found."""
        self._looked_at, self._signature = self._clock(), signature
        self._data_version, self._is_known = data_version, True

    def forget(self) -> None:
        """Note that the store's content is not known, until the next look."""
        self._is_known = False

    def shown(
        self, status: ReplicaStatus, unknown: Callable[[], ReplicaStatus], writing: Collection[Key]
    ) -> ReplicaStatus:
        """The status, or `unknown()` while the files may not be those of the last look any more: the same for the same status.

        Never waits. While we are `writing` these records, it is we who change the files.
        """
        is_late = not writing and self.may_have_missed()
        if not self._is_known or not (is_late or self._replica.is_overtaken(self._data_version)):
            self._doubted = None
            return status
        if self._doubted is None or self._doubted[0] is not status:
            self._doubted = status, unknown()
        return self._doubted[1]

    def may_have_missed(self) -> bool:
        """Whether a change may have been missed, because no look has ended for too long. Never waits."""
        if self._clock() - self._looked_at <= self._late_seconds or not self._replica.needs_tidying:
            return False  # only a file of ours has a signature at all times
        return self._signature is None or self._replica.file_signature() != self._signature
