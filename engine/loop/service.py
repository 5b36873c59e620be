"""The running engine: an informer, a controller per replica, and their combined status."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import anyio
import msgspec

from engine.core.guards.look import Calendar
from engine.core.home.snapshot import Snapshot
from engine.core.state.report import Report
from engine.core.state.status import ReplicaStatus, SourceStatus, Status
from engine.core.words import combined_status
from engine.errors import SourceError
from engine.loop.first_passes import FirstPasses
from engine.loop.informer import Informer
from engine.loop.replica_controller import ReplicaController


class _MadeStatus(NamedTuple):
    """A status, and the values it was made from."""

    shift: float
    unread_since: float | None
    source: SourceStatus
    replicas: Sequence[ReplicaStatus]
    status: Status

    def is_of(
        self,
        shift: float,
        unread_since: float | None,
        source: SourceStatus,
        replicas: Sequence[ReplicaStatus],
    ) -> bool:
        """Whether it was made from these values."""
        same = all(before is now for before, now in zip(self.replicas, replicas, strict=True))
        return same and (self.shift, self.unread_since) == (shift, unread_since) and self.source is source


class Service:
    """Keeps replicas equal to a source until cancelled. `on_report` receives every pass that ends."""

    def __init__(  # noqa: PLR0913 (collaborators, by keyword)
        self,
        informer: Informer,
        controllers: Sequence[ReplicaController],
        *,
        site: str,
        version: str,
        clock: Callable[[], float],
        calendar: Callable[[], Calendar] = Calendar,
        on_report: Callable[[Report], None],
        on_source: Callable[[str], None] = lambda _what: None,
    ) -> None:
        """`clock` never jumps, and `calendar` converts its times to the wall clock as it is set now.

        `on_source` receives `read` after each look at Home Assistant, and the error's class name when it is lost, after the
        status has been updated.
        """
        self._calendar = calendar
        self._on_source = on_source
        self._site = site
        self._version = version
        self._clock = clock
        self._started_at = clock()
        self._on_pass = on_report
        self._source_status = SourceStatus(informer.origin, connected=False)
        self._made: _MadeStatus | None = None
        self.records: Mapping[str, int] = {}  # of the last read, by registry
        self._informer = informer
        self._controllers = controllers

    async def run(self) -> None:
        """Run until cancelled."""
        first_passes = FirstPasses()
        async with anyio.create_task_group() as tasks:
            for controller in self._controllers:
                tasks.start_soon(controller.run, self, first_passes)
            tasks.start_soon(self._informer.run, self)

    def status(self) -> Status:
        """The engine's status now, with times by the wall clock as it is set now."""
        shift = self._calendar().shift
        # Read each once, so that statuses and report match, even if another thread asks.
        source, replicas = self._source_status, [controller.current() for controller in self._controllers]
        unread_since, made = self._informer.unread_since, self._made
        if made is not None and made.is_of(shift, unread_since, source, replicas):  # it rarely changes
            return made.status
        known = replicas
        if unread_since is not None:
            replicas = [msgspec.structs.replace(replica, unread_since=unread_since) for replica in known]
        status = Status(
            site=self._site,
            version=self._version,
            started_at=self._started_at + shift,
            source=source.shifted(shift),
            replicas=tuple(replica.shifted(shift) for replica in replicas),
            report=_merged_report(replicas),
        )
        self._made = _MadeStatus(shift, unread_since, source, known, status)
        return status

    # Calls of the informer

    def on_connected(self) -> None:
        """The source answers."""
        now = self._clock()
        self._source_status = SourceStatus(
            self._source_status.uri, connected=True, connected_at=now, last_message_at=now
        )

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Home Assistant was read."""
        self._source_status = SourceStatus(
            uri=self._source_status.uri,
            connected=True,
            version=snapshot.reading.health.ha_version,
            state=snapshot.reading.health.state,
            connected_at=self._source_status.connected_at,
            last_message_at=self._clock(),
        )
        self.records = snapshot.home.counts
        for controller in self._controllers:
            controller.offer(snapshot)
        self._on_source("read")  # only after its changes are counted as pending

    def on_confirmed(self, at: float) -> None:
        """Nothing changed up to `at` (Unix seconds)."""
        status = self._source_status
        self._source_status = SourceStatus(
            status.uri, True, status.version, status.state, status.connected_at, last_message_at=self._clock()
        )
        for controller in self._controllers:
            controller.confirm(at)

    def on_disconnected(self, error: SourceError) -> None:
        """Home Assistant is unreachable: the knowledge of it ages from now on."""
        status = self._source_status
        self._source_status = SourceStatus(
            status.uri,
            connected=False,
            version=status.version,
            state=None,  # not known
            last_message_at=status.last_message_at,
            error=str(error),
        )
        for controller in self._controllers:
            controller.lose()
        self._on_source(type(error).__name__)

    # Calls of the controllers

    def on_report(self, report: Report) -> None:
        """A pass over one replica ended."""
        self._on_pass(report)

    def on_waiting(self, at: float) -> None:
        """A read at `at` (Unix seconds) would confirm the missing records."""
        self._informer.relist_within(at - self._clock())


def _merged_report(replicas: Sequence[ReplicaStatus]) -> Report | None:
    reports = [replica.report for replica in replicas if replica.report is not None]
    if not reports:
        return None
    newest = max(reports, key=lambda r: r.compared_at)
    return Report(
        schema_version=newest.schema_version,
        status=combined_status([r.replicas[0].status for r in reports]),
        mode=newest.mode,
        run_id=newest.run_id,
        site=newest.site,
        compared_at=min(r.compared_at for r in reports),
        duration_seconds=max(r.duration_seconds for r in reports),
        source=newest.source,
        replicas=tuple(r.replicas[0] for r in reports),
        records=tuple(record for r in reports for record in r.records),
        errors=tuple(error for r in reports for error in r.errors),
        partial=0 < sum(bool(r.errors) for r in reports) < len(reports),
        set_aside=newest.set_aside,
    )
