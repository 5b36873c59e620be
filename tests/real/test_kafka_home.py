"""A home in a real Kafka, from the command line: mirrored, compared, examined, and read by consumers that are not ours."""

import itertools
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.__main__ import main
from engine.core.records.record_json import canonical_fields, make_record
from engine.replicas.rows.replica import open_rows
from tests.real.kafka import KafkaBroker, kafka_or_skip
from tests.service_process import ROOT, SAMPLE, Service, get, wait_until

pytestmark = [pytest.mark.real_server, pytest.mark.process, pytest.mark.slow]

HOW_TO = (ROOT / "docs" / "how-to" / "kafka.md").read_text(encoding="utf-8")
NUMBERS = itertools.count()
SECONDS_MAX = 2.0  # to stop: the second of the promise, and what a loaded machine may add


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with kafka_or_skip(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    with kafka_or_skip(tmp_path / "kafka") as found:
        yield found


class Home:
    """The recorded home, kept in topics of its own."""

    def __init__(self, broker: KafkaBroker, folder: Path, capsys: pytest.CaptureFixture[str], name: str):
        self.broker, self.folder, self._capsys, self.name = broker, folder, capsys, name
        self.kafka = broker.uri(name)

    def run(self, *argv: str, records: str | None = None, source: str = SAMPLE) -> tuple[int, Any, str]:
        """The exit code, what it printed (decoded with --json), and what it said."""
        stores = ["--rows", str(self.folder / "rows.db"), "--records", records or self.kafka]
        code = main([*argv, "--source", source, *stores, "--site", self.name])
        out, err = self._capsys.readouterr()
        return code, json.loads(out) if "--json" in argv else out, err

    def rows(self) -> dict[tuple[str, str], dict[str, object]]:
        """What the rows file has, by registry and id."""
        rows = open_rows(self.folder / "rows.db")
        found = {tuple(key): row.fields for key, row in rows.read(rows.observe().versions).items()}
        rows.close()
        return {key: dict(fields) for key, fields in found.items()}  # type: ignore[misc]


@pytest.fixture
def home(broker: KafkaBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Home:
    return Home(broker, tmp_path, capsys, f"h-{next(NUMBERS)}")


def applied(report: Any) -> dict[str, int]:
    return {replica["replica"]: replica["applied"]["upsert"] for replica in report["replicas"]}


def renamed_source(folder: Path) -> str:
    """The recorded home after one device was given a name."""
    copy = folder / "renamed"
    shutil.copytree(SAMPLE.removeprefix("capture:"), copy)
    file = next(copy.rglob("device_registry_list.json"))
    text = file.read_text()
    assert '"name_by_user": null' in text or '"name_by_user":null' in text
    file.write_text(re.sub(r'"name_by_user": ?null', '"name_by_user":"Desk lamp"', text, count=1))
    return f"capture:{copy}"


def test_a_home_is_mirrored_and_a_second_pass_writes_nothing(home: Home) -> None:
    code, first, _ = home.run("--json")
    assert (code, first["status"], applied(first)) == (0, "in_sync", {"sqlite": 205, "kafka": 205})
    code, second, _ = home.run("--json")
    assert (code, second["records"]) == (0, [])
    assert "Nothing to do: sqlite and kafka" in home.run()[1]


def test_kafka_stands_beside_the_history_which_keeps_the_past(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_RECORDS__KAFKA_URI", home.kafka)
    history = f"history:{home.folder / 'history.db'}"
    _, report, _ = home.run("--json", records=history)
    assert applied(report) == {"sqlite": 205, "history": 205, "kafka": 205}
    code, reported, _ = home.run("history", "light.bed_light", records=history)
    assert code == 0
    assert "rev 1" in reported


def test_kafka_alone_keeps_no_past_and_reports_it(home: Home) -> None:
    home.run("--json")
    code, _, said = home.run("history", "light.bed_light")
    assert code != 0
    assert "records.uri names Kafka, which keeps the newest version of each record" in said
    _, _, said = home.run("drift", source="records")
    assert "names none that can be read back" in said


def test_doctor_checks_the_cluster_and_writes_nothing(home: Home) -> None:
    _, reported, _ = home.run("doctor")
    assert f"ok   kafka cluster: 1 broker at kafka://{home.broker.server}/{home.name}" in reported
    assert "ok   kafka topics: " in reported
    assert "do not exist yet" in reported
    home.run("--json")
    _, reported, _ = home.run("doctor")
    assert f"ok   kafka records: 205 records of {home.name}" in reported


def consume(broker: KafkaBroker, topic: str) -> list[tuple[str, str]]:
    """Key and value of every message, as Kafka's own consumer prints them."""
    reported = broker.run(
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        *("--bootstrap-server", broker.server, "--topic", topic, "--from-beginning"),
        *("--isolation-level", "read_committed", "--timeout-ms", "5000"),
        *("--property", "print.key=true", "--property", "null.literal=TOMBSTONE"),
    )
    pairs = (line.split("\t", 1) for line in reported.split("\n") if line.startswith('{"site"'))
    return [(key, value) for key, value in pairs]


def test_kafkas_own_consumer_rebuilds_the_rows_from_the_feed_and_from_the_topics(home: Home) -> None:
    home.run("--json")
    home.run("--json", source=renamed_source(home.folder))
    wanted = {key: canonical_fields(make_record(key[0], dict(fields))) for key, fields in home.rows().items()}
    feed: dict[tuple[str, str], object] = {}
    for key, value in consume(home.broker, f"{home.name}.changes"):
        named, event = json.loads(key), json.loads(value)
        record = make_record(named["registry"], event["after"])
        feed[named["registry"], named["id"]] = canonical_fields(record)
    assert feed == wanted
    topics = {json.loads(k)["id"]: json.loads(v) for k, v in consume(home.broker, f"{home.name}.device")}
    assert {id_ for registry, id_ in wanted if registry == "device"} == topics.keys()
    lamps = [event for event in topics.values() if event["after"]["name_by_user"] == "Desk lamp"]
    assert [(e["op"], e["before"]["name_by_user"], e["source"]["cause"]) for e in lamps] == [
        ("u", None, "pending")
    ]


def test_the_script_on_the_page_prints_the_changes(home: Home, tmp_path: Path) -> None:
    home.run("--json")
    script = re.findall(r"```python\n(.*?)```", HOW_TO, re.DOTALL)[0]
    script = script.replace("localhost:9092", home.broker.server).replace(
        "reconcile.device", f"{home.name}.device"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    shown = sorted(line.split("\t")[:2] for line in done.stdout.splitlines())
    wanted = sorted(
        [id_, str(fields.get("name_by_user") or fields["name"])]
        for (registry, id_), fields in home.rows().items()
        if registry == "device"
    )
    assert shown == wanted
    # The event that is shown, as far as it is shown.
    home.run("--json", source=renamed_source(tmp_path))
    example = json.loads(re.findall(r"```json\n(.*?)```", HOW_TO, re.DOTALL)[0])
    events = [json.loads(value) for _, value in consume(home.broker, f"{home.name}.changes")]
    [renamed] = [e for e in events if e["op"] == "u" and e["source"]["table"] == "device"]
    for part in ("before", "after", "source"):
        known = {name: renamed[part][name] for name in example[part]}
        assert known | {"name": "home"} == example[part] | {"name": "home"}
    assert renamed["op"] == example["op"]


def test_the_commands_of_the_page_are_those_of_kafka(home: Home) -> None:
    home.run("--json")
    [line] = re.findall(r"(?m)^kafka-console-consumer\.sh (.*)$", HOW_TO)
    options = (
        line.replace("localhost:9092", home.broker.server).replace("reconcile.", f"{home.name}.").split()
    )
    reported = home.broker.run(
        "org.apache.kafka.tools.consumer.ConsoleConsumer", *options, "--max-messages", "205"
    )
    assert len([x for x in reported.split("\n") if x.startswith("{")]) == 205


def test_a_service_keeps_running_without_kafka_and_catches_up(
    own_broker: KafkaBroker, tmp_path: Path, services: list[Service]
) -> None:
    own_broker.stop(signal.SIGKILL)
    services.append(
        Service(
            tmp_path, RECONCILE_RECORDS__KAFKA_URI=own_broker.uri(), RECONCILE_LOOP__RETRY_SECONDS_MAX="2"
        )
    )
    address = services[0].wait_until_serving()

    def status(replica: str) -> dict[str, Any]:
        [found] = [r for r in get(address, "/api/status")["replicas"] if r["replica"] == replica]
        return dict(found)

    wait_until(lambda: status("history")["status"] == "in_sync", "the history in sync")
    wait_until(lambda: status("kafka").get("error"), "the error of Kafka")
    assert status("kafka")["status"] == "unknown"
    assert f"Kafka at {own_broker.server} cannot" in status("kafka")["error"]
    own_broker.start()
    wait_until(lambda: status("kafka")["status"] == "in_sync", "Kafka in sync")
    own_broker.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        code, _ = services[0].stop()
        assert (code, time.monotonic() - began < SECONDS_MAX) == (0, True)
    finally:
        own_broker.send_signal(signal.SIGCONT)


def test_a_service_that_waits_for_a_frozen_broker_stops_at_once(
    own_broker: KafkaBroker, tmp_path: Path, services: list[Service]
) -> None:
    own_broker.send_signal(signal.SIGSTOP)
    try:
        services.append(Service(tmp_path, RECONCILE_RECORDS__KAFKA_URI=own_broker.uri()))
        address = services[0].wait_until_serving()

        def is_well() -> bool:
            replicas = get(address, "/api/status")["replicas"]
            return any(r["replica"] == "history" and r["status"] == "in_sync" for r in replicas)

        wait_until(is_well, "the history in sync")
        began = time.monotonic()
        code, _ = services[0].stop()
        assert (code, time.monotonic() - began < SECONDS_MAX) == (0, True)
    finally:
        own_broker.send_signal(signal.SIGCONT)


def test_nothing_of_kafka_is_loaded_without_one(tmp_path: Path) -> None:
    program = (
        "import sys; from engine.__main__ import main\n"
        f"main(['--quiet', '--source', {SAMPLE!r}, '--rows', 'rows.db', '--records', 'history:history.db'])\n"
        "assert not [n for n in sys.modules if 'kafka' in n and n != 'engine.settings.stores'], sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
