"""The broker of ops/compose.homes.yaml, started as its image starts it: from the variables that are there."""

import re
from pathlib import Path

import pytest
import yaml

from tests.availability import skip_or_fail
from tests.real.kafka import KafkaBroker
from tests.real.kafka_home import KafkaHome
from tests.real.kafka_jars import KafkaMissingError
from tests.service_process import ROOT

pytestmark = [pytest.mark.real_server, pytest.mark.slow]


def properties(environment: dict[str, object]) -> str:
    """What the image of Apache Kafka makes of its variables: KAFKA_NODE_ID is node.id."""
    heap = environment.pop("KAFKA_HEAP_OPTS")
    assert re.fullmatch(r"-Xmx\d+m -Xms\d+m", str(heap))
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", str(environment.pop("CLUSTER_ID"))), "16 bytes in base64"
    names = {name: name.removeprefix("KAFKA_").lower().replace("_", ".") for name in environment}
    assert all(name.startswith("KAFKA_") for name in names)
    return "".join(f"{names[name]}={value}\n" for name, value in environment.items())


def test_one_broker_takes_the_transactions_of_a_home(tmp_path: Path) -> None:
    text = (ROOT / "ops/compose.homes.yaml").read_text(encoding="utf-8")
    service = yaml.safe_load(text)["services"]["kafka"]
    assert service["volumes"] == ["kafka:/var/lib/kafka/data"]
    try:
        broker = KafkaBroker(tmp_path / "kafka", version=service["image"].partition(":")[2])
    except KafkaMissingError as reason:
        skip_or_fail(str(reason))
    folder, controller = broker.folder, broker.controller_port
    given = properties(dict(service["environment"]))
    for there, here in (
        ("/var/lib/kafka/data", f"{folder}/data"),
        ("PLAINTEXT://kafka:9092", f"PLAINTEXT://{broker.server}"),
        ("PLAINTEXT://:9092", f"PLAINTEXT://{broker.server}"),
        ("CONTROLLER://:9093", f"CONTROLLER://127.0.0.1:{controller}"),
        ("1@kafka:9093", f"1@127.0.0.1:{controller}"),
    ):
        assert there in given
        given = given.replace(there, here)
    broker.settings_file.write_text(given)
    broker.format()
    broker.start()
    try:
        kept = KafkaHome(broker)
        assert kept.reconcile() == 3
        assert kept.reconcile() == 0
    finally:
        broker.stop()
