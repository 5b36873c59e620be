"""Topics of a real broker that are badly set up, shared, deleted, or written by others."""

import json
from collections.abc import Iterator
from contextlib import suppress

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from engine.claims import LastingClaim
from engine.core.records.record import Area
from engine.errors import ReplicaError, ReplicaRejected, SettingsError
from engine.replicas.kafka.address import parse_address
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.messages import encode_key
from engine.replicas.kafka.open import open_kafka
from engine.replicas.kafka.topics import partition_of
from tests.homes import ENTRY, device, entity, snapshot
from tests.real.kafka import KafkaBroker, kafka_or_skip
from tests.real.kafka_home import CHANGED, HOME, KafkaHome, noise
from tests.replicas.passes import plan_of, run_of

pytestmark = [pytest.mark.real_server, pytest.mark.slow]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with kafka_or_skip(tmp_path_factory.mktemp("kafka")) as found:
        yield found


def test_topics_that_cannot_be_made_are_named(broker: KafkaBroker) -> None:
    kept = KafkaHome(broker)
    address = parse_address(f"kafka://{broker.server}/{kept.prefix}?partitions=2")
    claim = LastingClaim("home", "test@1")
    records = open_kafka(Access(address), site="home", claim=claim, verify_seconds=3600)
    plan = plan_of(records, kept.ledger, HOME)
    with pytest.raises(
        ReplicaRejected, match="fewer brokers than the number of replicas of each topic"
    ) as refused:
        records.apply(plan.operations, run_of(records, HOME))
    assert "replicas=1" in refused.value.hint
    records.close()


def test_another_number_of_partitions_is_refused(broker: KafkaBroker) -> None:
    kept = KafkaHome(broker)
    kept.reconcile()
    access = Access(parse_address(f"kafka://{broker.server}/{kept.prefix}?partitions=3&replicas=1"))
    records = open_kafka(access, site="home", claim=LastingClaim("home", "x@1"), verify_seconds=3600)
    with pytest.raises(ReplicaRejected, match="has 2 partitions, but the settings ask for 3"):
        records.observe()
    records.close()


@pytest.mark.parametrize(("registry", "policy"), [("entity", "delete"), ("changes", "compact")])
def test_a_policy_that_would_drop_messages_is_refused_with_the_command_to_fix_it(
    broker: KafkaBroker, registry: str, policy: str
) -> None:
    kept = KafkaHome(broker)
    kept.reconcile()
    topic = kept.names.of(registry)
    kept.set(topic, **{"cleanup.policy": policy})
    kept.records.close()
    with pytest.raises(ReplicaRejected, match=f"Topic {topic} has cleanup.policy={policy}") as refused:
        kept.records.observe()
    assert f"--entity-name {topic} --add-config cleanup.policy=" in refused.value.hint
    kept.set(topic, **{"cleanup.policy": "delete" if registry == "changes" else "compact"})
    assert kept.reconcile() == 0


def test_messages_of_others_are_left_alone(broker: KafkaBroker) -> None:
    kept = KafkaHome(broker)
    kept.reconcile()
    topic = kept.names.of("entity")
    kept.put(topic, b"rubbish", b"\xff\x00")
    kept.put(topic, b'{"site":"home","registry":"device","id":"x"}', b"{}")
    kept.put(topic, encode_key("another", entity(9).key), b"rubbish")
    kept.put(topic, encode_key("home", entity(1).key), b"rubbish")
    assert kept.reconcile() == 1
    kept.records.close()
    assert kept.reconcile() == 0
    assert "2 messages in the topics were not written by this program" in str(kept.records.take_note())


def test_a_record_that_is_too_large_is_named_and_the_others_are_written(broker: KafkaBroker) -> None:
    kept = KafkaHome(broker)
    kept.reconcile()
    for topic in kept.names.all:
        kept.set(topic, **{"max.message.bytes": "20000"})
    # Compressed it is what the broker judges, so it has to be a name that does not compress.
    large = Area(area_id="large", name=noise(60_000))
    many = [Area(area_id=f"a{n}", name=noise(3_000)) for n in range(40)]
    desired = snapshot(*HOME.home.records.values(), large, *many)
    with pytest.raises(ReplicaRejected, match=r"refused 1 of 41 events as too large \(area/large") as refused:
        kept.reconcile(desired)
    assert refused.value.unwritten == frozenset({tuple(large.key)})
    assert set(kept.records.observe().versions) == set(desired.home.hashes) - {large.key}
    for topic in kept.names.all:
        kept.set(topic, **{"max.message.bytes": "1000000"})
    assert kept.reconcile(desired) == 1


def test_two_homes_share_a_prefix(broker: KafkaBroker) -> None:
    flat = KafkaHome(broker, site="house-1")
    house = KafkaHome(broker, flat.prefix, site="house-3")
    assert partition_of("house-1", 2) == partition_of("house-3", 2), (
        "in one partition, which is the hard case"
    )
    flat.reconcile(HOME)
    house.reconcile(CHANGED)
    before = flat.records.data_version()
    house.reconcile(snapshot(ENTRY))
    assert flat.records.data_version() == before
    assert flat.reconcile(HOME) == 0
    assert flat.held() == HOME.home.hashes
    assert house.held() == snapshot(ENTRY).home.hashes


def test_deleted_topics_are_created_and_filled_again(broker: KafkaBroker) -> None:
    kept = KafkaHome(broker)
    kept.reconcile()
    admin = AdminClient({"bootstrap.servers": broker.server})
    for future in admin.delete_topics(list(kept.names.all)).values():
        future.result(20)
    for _ in range(5):
        with suppress(ReplicaError):
            kept.records.data_version()
            if kept.records.observe().versions == {}:
                break
    assert kept.reconcile() == 3
    assert kept.held() == HOME.home.hashes


def test_a_topic_with_only_one_partition_is_refused(broker: KafkaBroker) -> None:
    kept = KafkaHome(broker)
    admin = AdminClient({"bootstrap.servers": broker.server})
    for future in admin.create_topics([NewTopic(kept.names.of("area"), 1, 1)]).values():
        future.result(20)
    with pytest.raises(ReplicaRejected, match=r"\.area has 1 partition,"):
        kept.records.observe()


def test_a_property_that_does_not_exist_is_named(broker: KafkaBroker) -> None:
    access = Access(parse_address(broker.uri()), properties={"no.such.thing": "secret"})
    records = open_kafka(access, site="home", claim=LastingClaim("home", "x@1"), verify_seconds=3600)
    with pytest.raises(SettingsError, match=r"no\.such\.thing") as refused:
        records.observe()
    assert "secret" not in str(refused.value)


def test_the_feed_of_changes_has_every_event_in_order(broker: KafkaBroker) -> None:
    kept = KafkaHome(broker)
    for name in ("a", "b", "c"):
        kept.reconcile(snapshot(ENTRY, device(1, name=name)))
    kept.reconcile(snapshot(ENTRY))
    topic = kept.names.changes
    reported = broker.run(
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        *("--bootstrap-server", broker.server, "--topic", topic, "--from-beginning", "--timeout-ms", "4000"),
        *("--consumer-property", "isolation.level=read_committed"),
    )
    events = [json.loads(line) for line in reported.split("\n") if line.startswith("{")]
    assert [
        (e["op"], (e["after"] or {}).get("name")) for e in events if e["source"]["table"] == "device"
    ] == [
        ("r", "a"),
        ("u", "b"),
        ("u", "c"),
        ("d", None),
    ]
