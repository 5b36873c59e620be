"""A home in topics of a real broker, for tests: its records, and what another program does to them."""

import itertools
import random
import string
from contextlib import closing

from confluent_kafka import Producer

from engine.claims import LastingClaim
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.replicas.kafka.address import parse_address
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.open import open_kafka
from engine.replicas.kafka.records import KafkaRecords
from engine.replicas.kafka.topics import TopicNames, partition_of
from tests.fakes.world import MemoryLedger
from tests.homes import ENTRY, device, entity, snapshot
from tests.real.kafka import KafkaBroker
from tests.replicas.passes import one_pass

HOME = snapshot(ENTRY, device(1), entity(1, device_id=device(1).id))
CHANGED = snapshot(ENTRY, device(1, name="Other"), entity(2))
_PREFIXES = (f"p{number}" for number in itertools.count())


class KafkaHome:
    """A home in topics of its own."""

    def __init__(
        self, broker: KafkaBroker, prefix: str | None = None, *, site: str = "home", seconds: float = 10
    ):
        self.broker = broker
        self.prefix = prefix or next(_PREFIXES)
        self.names = TopicNames(self.prefix)
        self.access = Access(parse_address(broker.uri(self.prefix)), timeout_seconds=seconds)
        self.site = site
        self.ledger = MemoryLedger()
        self.records = self.open()

    def open(self) -> KafkaRecords:
        claim = LastingClaim(self.site, "test@1")
        return open_kafka(self.access, site=self.site, claim=claim, verify_seconds=3600)

    def reconcile(self, desired: Snapshot = HOME) -> int:
        return len(one_pass(self.records, self.ledger, desired).operations)

    def held(self) -> dict[Key, str]:
        """What a reader of another process finds."""
        with closing(self.open()) as other:
            return dict(other.observe().versions)

    def put(self, topic: str, key: bytes, value: bytes | None) -> None:
        producer = Producer({"bootstrap.servers": self.broker.server})
        producer.produce(topic, value=value, key=key, partition=partition_of(self.site, 2))
        assert producer.flush(20) == 0

    def set(self, topic: str, **settings: str) -> None:
        names = [f"{name}={value}" for name, value in settings.items()]
        self.broker.run(
            "kafka.admin.ConfigCommand",
            *("--bootstrap-server", self.broker.server, "--alter", "--entity-type", "topics"),
            *("--entity-name", topic, "--add-config", ",".join(names)),
        )


def noise(size: int) -> str:
    """A text that does not compress."""
    return "".join(random.Random(size).choices(string.ascii_letters + string.digits, k=size))
