"""`reconcile version`."""

import json
import platform
import re
import sys

import pytest

import engine
from tests.commandline.in_process import Reconcile


def test_the_versions_in_use_are_named(reconcile: Reconcile) -> None:
    code, out, err = reconcile("version")
    assert (code, err) == (0, "")
    assert out.startswith(f"reconcile {engine.__version__}\npython {platform.python_version()}\nsqlite 3.")
    assert json.loads(reconcile("version", "--json").out)["reconcile"] == engine.__version__


def test_the_client_of_kafka_is_named_with_its_library(reconcile: Reconcile) -> None:
    pytest.importorskip("confluent_kafka")
    assert re.search(
        r"(?m)^confluent-kafka \d+\.\d+\.\d+ \(librdkafka \d+\.\d+\.\d+\)$", reconcile("version").out
    )
    found = json.loads(reconcile("version", "--json").out)
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["librdkafka"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["confluent_kafka"])


def test_the_versions_show_that_it_is_missing(reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    monkeypatch.delitem(sys.modules, "engine.replicas.kafka.cluster.clients", raising=False)
    assert reconcile("version").out.endswith("\nconfluent-kafka not installed\n")
    assert json.loads(reconcile("version", "--json").out)["librdkafka"] is None
