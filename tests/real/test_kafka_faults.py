"""A real broker that is away, frozen, full or short of replicas, and writers that are killed or replaced: one clear
sentence each, nothing lost."""

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from engine.claims import LastingClaim
from engine.core.records.record import Area
from engine.errors import ReplicaError, ReplicaRejected, ReplicaUnavailable
from engine.replicas.kafka.address import parse_address
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.messages import encode_key
from engine.replicas.kafka.open import open_kafka
from engine.replicas.kafka.topics import partition_of, settings_of
from engine.secret import Secret
from tests.homes import entity, snapshot
from tests.real.kafka import KafkaBroker, kafka_or_skip
from tests.real.kafka_home import CHANGED, HOME, KafkaHome
from tests.real.small_disk import mounted
from tests.replicas.passes import one_pass, plan_of, run_of
from tests.service_process import wait_until

pytestmark = [pytest.mark.real_server, pytest.mark.slow]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with kafka_or_skip(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    with kafka_or_skip(tmp_path / "kafka") as found:
        yield found


def test_an_unavailable_broker_is_named_and_pending_changes_follow_its_return(
    own_broker: KafkaBroker,
) -> None:
    own_broker.stop()
    kept = KafkaHome(own_broker)
    with pytest.raises(ReplicaUnavailable, match=f"Kafka at {own_broker.server} cannot .*refused"):
        kept.records.observe()
    own_broker.start()
    assert kept.reconcile() == 3
    plan = plan_of(kept.records, kept.ledger, CHANGED)
    own_broker.stop(signal.SIGKILL)
    with pytest.raises(ReplicaUnavailable, match="Kafka at"):
        kept.records.apply(plan.operations, run_of(kept.records, CHANGED))
    own_broker.start()
    kept.reconcile(CHANGED)
    assert kept.records.observe().versions == CHANGED.home.hashes
    assert kept.held() == CHANGED.home.hashes


def test_a_broker_that_is_lost_while_nothing_happens_is_noticed(own_broker: KafkaBroker) -> None:
    kept = KafkaHome(own_broker)
    kept.reconcile()
    own_broker.stop(signal.SIGKILL)

    def is_noticed() -> bool:
        try:
            kept.records.data_version()
        except ReplicaUnavailable:
            return True
        return False

    wait_until(is_noticed, "the loss of the broker")
    own_broker.start()
    assert kept.reconcile() == 0


def test_a_frozen_broker_costs_one_timeout_and_no_event(own_broker: KafkaBroker) -> None:
    kept = KafkaHome(own_broker, seconds=2)
    kept.reconcile()
    plan = plan_of(kept.records, kept.ledger, CHANGED)
    own_broker.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(ReplicaUnavailable, match="Kafka at"):
            kept.records.apply(plan.operations, run_of(kept.records, CHANGED))
    finally:
        own_broker.send_signal(signal.SIGCONT)
    patient = KafkaHome(own_broker, kept.prefix, seconds=30)
    patient.ledger = kept.ledger
    patient.reconcile(CHANGED)
    assert patient.records.observe().versions == CHANGED.home.hashes


def test_a_disk_that_is_full_ends_the_broker_and_loses_nothing(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=64m") as disk, kafka_or_skip(disk.folder / "kafka") as found:
        kept = KafkaHome(found, seconds=5)
        kept.reconcile()
        disk.fill()
        large = snapshot(
            *HOME.home.records.values(), *(Area(area_id=f"a{n}", name="n" * 50_000) for n in range(40))
        )
        with pytest.raises(ReplicaUnavailable, match="Kafka at"):
            kept.reconcile(large)
        disk.make_room()
        if found.is_running():
            found.stop(signal.SIGKILL)
        found.start()
        patient = KafkaHome(found, kept.prefix, seconds=30)
        patient.ledger = kept.ledger
        patient.reconcile(large)
        assert patient.records.observe().versions == large.home.hashes


def test_too_few_replicas_are_reported(own_broker: KafkaBroker, tmp_path: Path) -> None:
    KafkaHome(own_broker).reconcile()  # so that transactions are kept by the broker that stays
    second = KafkaBroker(tmp_path / "second", beside=own_broker)
    second.format()
    second.start()
    home = KafkaHome(own_broker, seconds=30)
    # The broker that stays leads all of them.
    topics = [
        NewTopic(
            name,
            2,
            replica_assignment=[[1, 2], [1, 2]],
            config=settings_of(home.names, name, replicas=2),
        )
        for name in home.names.all
    ]
    admin = AdminClient({"bootstrap.servers": own_broker.server})
    for future in admin.create_topics(topics).values():
        future.result(30)
    try:
        home.reconcile()
        topic = home.names.of("device")
        home.set(topic, **{"min.insync.replicas": "2"})
        second.stop(signal.SIGKILL)
        impatient = KafkaHome(own_broker, home.prefix, seconds=15)
        impatient.ledger = home.ledger
        with pytest.raises(ReplicaUnavailable, match=f"Topic {topic} has 1 of the 2 up-to-date replicas"):
            impatient.reconcile(CHANGED)
        second.start()
        home.records.close()  # a process that begins now, and ends what the other one left open
        home.reconcile(CHANGED)
        assert home.held() == CHANGED.home.hashes
    finally:
        second.stop(signal.SIGKILL)


def test_a_replaced_writer_writes_nothing_and_reports_it(broker: KafkaBroker) -> None:
    kept = KafkaHome(broker)
    kept.reconcile()
    plan = plan_of(kept.records, kept.ledger, CHANGED)
    with closing(kept.open()) as later:
        later.observe()
        with pytest.raises(ReplicaUnavailable, match="another process has become this home's writer"):
            kept.records.apply(plan.operations, run_of(kept.records, CHANGED))
        assert later.observe().versions == HOME.home.hashes


def test_a_killed_writers_transaction_is_ended_by_the_next_one(broker: KafkaBroker) -> None:
    kept = KafkaHome(broker)
    kept.reconcile()
    kept.records.close()
    killed = Producer({"bootstrap.servers": broker.server, "transactional.id": f"{kept.prefix}.home"})
    killed.init_transactions(20)
    killed.begin_transaction()
    topic = kept.names.of("entity")
    killed.produce(topic, b"{}", encode_key("home", entity(1).key), partition=partition_of("home", 2))
    killed.flush(20)
    assert kept.records.observe().versions == HOME.home.hashes


def test_another_homes_open_transaction_is_waited_for_and_then_reported(broker: KafkaBroker) -> None:
    kept = KafkaHome(broker, seconds=2)
    kept.reconcile()
    other = Producer({"bootstrap.servers": broker.server, "transactional.id": "somebody"})
    other.init_transactions(20)
    other.begin_transaction()
    topic = kept.names.of("entity")
    other.produce(topic, b"{}", encode_key("another", entity(1).key), partition=partition_of("home", 2))
    other.flush(20)
    kept.records.close()
    with pytest.raises(ReplicaUnavailable, match=f"Topic {topic} cannot be read to its end: .* is open"):
        kept.records.observe()
    other.abort_transaction(20)
    assert kept.records.observe().versions == HOME.home.hashes


_USERS = (
    "listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
    'username="admin" password="admin" user_admin="admin" user_me="the password";\n'
    "sasl.enabled.mechanisms=PLAIN\nsasl.mechanism.inter.broker.protocol=PLAIN\n"
)


def test_a_user_and_password_are_accepted_and_a_wrong_one_is_reported_at_once(tmp_path: Path) -> None:
    with kafka_or_skip(tmp_path / "kafka", protocol="SASL_PLAINTEXT", more=_USERS) as found:
        kept = KafkaHome(found)
        uri = f"{found.uri('mine')}&sasl=PLAIN"
        claim = LastingClaim("home", "x@1")
        for password, is_right in (("the password", True), ("wrong", False)):
            access = Access(parse_address(uri), "me", Secret(password))
            records = open_kafka(access, site="home", claim=claim, verify_seconds=3600)
            if is_right:
                assert len(one_pass(records, kept.ledger, HOME).operations) == 3
            else:
                with pytest.raises(
                    ReplicaRejected, match="does not accept the user or the password"
                ) as refused:
                    records.observe()
                assert "wrong" not in str(refused.value)
            records.close()
        # Without TLS where the listener has none, and without a user where one is asked for.
        for other in (uri.replace("kafka:", "kafkas:"), found.uri("mine")):
            records = open_kafka(
                Access(parse_address(other), timeout_seconds=5), site="home", claim=claim, verify_seconds=3600
            )
            with pytest.raises(ReplicaError, match="Kafka at"):
                records.observe()
            records.close()
