"""The shortcut of a pass without memory: both sides still are what they were when they were made equal.

It is taken only where it says all that a whole pass would: every registry, one replica, no record that was
missed by an earlier read, and nobody who asked for more than the outcome. Everything else is compared.
"""

from collections.abc import Sequence
from functools import partial

from engine import __version__
from engine.core.diff import Diff
from engine.core.plan import Plan
from engine.core.proof import Etag, Proof, Unmodified
from engine.core.record import REGISTRIES
from engine.core.report import Counts, PlanCounts, ReplicaReport, Report
from engine.core.snapshot import Snapshot
from engine.errors import ReplicaError
from engine.loop.offload import Offload, to_thread
from engine.loop.one_pass import PassOptions
from engine.ports import Conditional, Ledger, Progress, Provable, Replica, Source


class Shortcut:
    """What one pass may leave out. Use it as the way to read the source."""

    def __init__(
        self,
        source: Source,
        replicas: Sequence[Replica],
        ledger: Ledger,
        options: PassOptions,
        offload: Offload = to_thread,
    ) -> None:
        """Nothing is read yet."""
        self._source = source
        self._ledger = ledger
        self._offload = offload
        self._provable: Provable | None = None
        if (
            isinstance(source, Conditional)
            and len(replicas) == 1
            and isinstance(replicas[0], Provable)
            and options.mode in ("apply", "dry_run")
            and options.registries >= set(REGISTRIES)
            and options.expected is None
        ):
            self._provable = replicas[0]
        self._etag: Etag | None = None  # of what was read

    async def read(self, progress: Progress) -> Snapshot | tuple[Unmodified, ReplicaReport]:
        """Read the source; returns the replica's report instead when all is as it was. Raises SourceError."""
        replica = self._provable
        if replica is None:
            return await self._source.read(progress)
        assert isinstance(self._source, Conditional)
        usable: Proof | None = None
        try:
            proof = await self._offload(replica.proof)
            if proof and proof.program == __version__ and not await self._offload(self._ledger.absences):
                usable = proof
        except ReplicaError:
            pass  # the pass itself will say
        found = await self._source.read_unless(usable.etag if usable else None, progress)
        if isinstance(found, Unmodified):
            assert usable is not None, "without an etag nothing is unmodified"
            return found, _in_sync(replica.name, usable.count)
        snapshot, self._etag = found
        return snapshot

    async def prove(self, report: Report) -> None:
        """Keep the proof for the next pass, if this one wrote and so made the replica equal to what was read."""
        if self._provable is None or self._etag is None:
            return
        if report.status != "in_sync" or report.replicas[0].applied == PlanCounts():
            return
        try:
            await self._offload(partial(self._provable.prove, __version__, self._etag))
        except ReplicaError:
            return  # the next pass compares everything, that is all


def _in_sync(replica: str, count: int) -> ReplicaReport:
    nothing = Plan(replica, (), (), Diff((), ()))
    return ReplicaReport(
        replica=replica,
        status="in_sync",
        counts=Counts(in_sync=count),
        planned=PlanCounts(),
        applied=PlanCounts(),
        fingerprint=nothing.fingerprint,
    )
