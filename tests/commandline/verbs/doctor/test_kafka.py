"""What `reconcile doctor` says of Kafka, with none that answers, or no client for it."""

import sys
from pathlib import Path

import pytest

from engine.commandline.verbs.doctor.kafka import check_kafka, without_kafka
from engine.process.installation import how_to_add_kafka
from engine.settings.layers import load_settings
from engine.settings.sections import LoadedSettings
from tests.real.free_port import free_port


def loaded(records: str, kafka: str = "", **more: object) -> LoadedSettings:
    flags = {"records.uri": records, "records.kafka_uri": kafka, "records.timeout_seconds": 5, **more}
    return load_settings(flags, {}, None, None)


def test_nothing_is_reported_without_kafka() -> None:
    assert list(check_kafka(loaded("none"))) == []


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["records.uri", "records.kafka_uri"])
def test_one_that_is_away_is_named(setting: str) -> None:
    server = f"127.0.0.1:{free_port()}"
    given = {"records.uri": "none", setting: f"kafka://{server}/homes"}
    [check] = check_kafka(loaded(given["records.uri"], given.get("records.kafka_uri", "")))
    assert (check.name, check.status) == ("kafka cluster", "fail")
    assert check.message.startswith(f"Kafka at {server} cannot be reached: ")
    assert "refused" in check.message
    assert check.hint


def test_an_address_that_is_none_and_a_file_that_is_missing_are_findings(tmp_path: Path) -> None:
    [address] = check_kafka(loaded("none", "kafka:nowhere"))
    assert (address.name, address.status) == ("kafka", "fail")
    missing = str(tmp_path / "client.properties")
    [file] = check_kafka(loaded("none", "kafka://a", **{"records.properties_file": missing}))
    assert "cannot be read" in file.message


def test_a_user_without_a_password_is_named() -> None:
    [check] = check_kafka(loaded("none", "kafka://a", **{"records.username": "me"}))
    assert (check.message, check.hint) == (
        "records.username names a user of Kafka, and no password is set.",
        "Set records.password_file, or RECONCILE_RECORDS__PASSWORD.",
    )


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("engine.replicas.kafka.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    [check] = check_kafka(loaded("none", "kafka://a"))
    assert (
        check.message == "records.kafka_uri names a Kafka, and its client confluent-kafka is not installed."
    )
    assert check.hint == how_to_add_kafka()


def test_the_records_are_checked_without_the_kafka_beside_them() -> None:
    assert without_kafka(loaded("history:x.db", "kafka://a")).settings.records.kafka_uri == ""
