"""The shortcut of a pass without memory: both sides still are what they were when they were made equal.

It is taken only where it says all that a whole pass would: every registry, replicas that can all prove what
they hold, no record that was missed by an earlier read, and nobody who asked for more than the outcome. Everything else is compared.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from engine import __version__
from engine.core.compare.diff import Diff
from engine.core.compare.plan import Plan
from engine.core.compare.proof import Etag, Proof, Unmodified
from engine.core.home.registries import REGISTRIES
from engine.core.home.snapshot import Snapshot
from engine.core.state.report import Counts, PlanCounts, ReplicaReport, Report
from engine.core.words import Mode, SyncStatus
from engine.errors import ReplicaError
from engine.loop.pass_options import PassOptions
from engine.offload import Offload, to_thread
from engine.ports import Conditional, Ledger, Progress, Replica, Source


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
        self._replicas = replicas
        self._is_open = (
            isinstance(source, Conditional)
            and all(replica.can_prove for replica in replicas)
            and options.mode in (Mode.APPLY, Mode.DRY_RUN)
            and options.registries >= set(REGISTRIES)
            and options.expected is None
        )
        self._etag: Etag | None = None  # of what was read

    async def read(self, progress: Progress) -> Snapshot | tuple[Unmodified, list[ReplicaReport]]:
        """Read the source; returns the replicas' reports instead when all is as it was. Raises SourceError."""
        if not self._is_open:
            return await self._source.read(progress)
        assert isinstance(self._source, Conditional)
        try:
            proofs = await self._usable_proofs()
        except ReplicaError:
            proofs = {}  # the pass itself will say
        found = await self._source.read_unless(next((p.etag for p in proofs.values()), None), progress)
        if isinstance(found, Unmodified):
            return found, [_in_sync(name, proof.count) for name, proof in proofs.items()]
        snapshot, self._etag = found
        return snapshot

    async def prove(self, report: Report) -> None:
        """Keep the proof for the next pass, if this one wrote and so made all replicas equal to what was read."""
        # A shorter pass would not tell what is set aside.
        if self._etag is None or report.status != SyncStatus.IN_SYNC or report.set_aside:
            return
        if all(replica.applied == PlanCounts() for replica in report.replicas):
            return
        for replica in self._replicas:
            # Without it the next pass compares everything, that is all.
            with suppress(ReplicaError):
                await self._offload(partial(replica.prove, __version__, self._etag))

    async def _usable_proofs(self) -> dict[str, Proof]:
        """Every replica's proof, by name, if all are of one agreement and nothing is waited for; else none."""
        proofs: dict[str, Proof] = {}
        for replica in self._replicas:
            proof = await self._offload(replica.proof)
            first = next(iter(proofs.values()), proof)
            if proof is None or first is None or proof.etag != first.etag or proof.program != __version__:
                return {}
            proofs[replica.name] = proof
        return {} if await self._offload(self._ledger.absences) else proofs


def _in_sync(replica: str, count: int) -> ReplicaReport:
    nothing = Plan(replica, (), (), Diff((), ()))
    return ReplicaReport(
        replica=replica,
        status=SyncStatus.IN_SYNC,
        counts=Counts(in_sync=count),
        planned=PlanCounts(),
        applied=PlanCounts(),
        fingerprint=nothing.fingerprint,
    )
