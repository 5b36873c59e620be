"""Homes that share a partition of a cluster in memory."""

from collections.abc import Callable

from engine.core.home.snapshot import Snapshot
from engine.replicas.kafka.address import KafkaAddress
from engine.replicas.kafka.ownership import Lease, PartitionClaim
from engine.replicas.kafka.partition.contents import PartitionOptions
from engine.replicas.kafka.partition.partition import Partition
from engine.replicas.kafka.records import KafkaRecords
from engine.replicas.kafka.topics import TopicNames
from tests.fakes.kafka import MemoryCluster, MemoryLog
from tests.fakes.world import MemoryLedger
from tests.homes import ENTRY, device, entity, snapshot
from tests.replicas.passes import one_pass

NAMES = TopicNames("homes")
HOME = snapshot(ENTRY, device(1), entity(1, device_id=device(1).id))
OTHER = snapshot(ENTRY, device(1, name="Other"))


class Shared:
    """A partition of homes on a cluster in memory."""

    def __init__(self, cluster: MemoryCluster | None = None) -> None:
        self.cluster = cluster or MemoryCluster(NAMES, partitions=1)
        self.log = MemoryLog(self.cluster, "partition")
        self.now = 0.0
        self.gather: Callable[[], object] = lambda: None
        self.claim = PartitionClaim(0, 1, "worker@1", Lease(lambda: 0.0, 10))
        self.partition = Partition(
            self.log,
            PartitionOptions(address=KafkaAddress(("a:9092",), "homes", 1)),
            claim=self.claim,
            clock=lambda: self.now,
            gather=self._gather,
        )
        self.ledgers: dict[str, MemoryLedger] = {}

    def _gather(self) -> None:
        self.gather()

    def home(self, site: str, *, read_only: bool = False) -> KafkaRecords:
        return KafkaRecords(self.partition, site, claim=self.claim, read_only=read_only)

    def reconcile(self, home: KafkaRecords, desired: Snapshot, site: str) -> int:
        ledger = self.ledgers.setdefault(site, MemoryLedger())
        return len(one_pass(home, ledger, desired).operations)

    def filled(self, *sites: str) -> list[KafkaRecords]:
        homes = [self.home(site) for site in sites]
        for site, home in zip(sites, homes, strict=True):
            self.reconcile(home, HOME, site)
        return homes

    def gather_until(self, waiting: int) -> None:
        """Make the next writer wait until this many homes have a request."""

        def gather() -> None:
            while self.partition.waiting < waiting:
                pass
            self.gather = lambda: None

        self.gather = gather
