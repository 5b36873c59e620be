"""Brokers that the contract suite of replicas runs on."""

from collections.abc import Iterator

import pytest

from tests.real.kafka import KafkaBroker, kafka_or_skip
from tests.real.kafka_jars import OLDER


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with kafka_or_skip(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="module")
def older_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with kafka_or_skip(tmp_path_factory.mktemp("kafka"), version=OLDER) as broker:
        yield broker
