"""A real Kafka broker for tests: a process of our own on free loopback ports, with data of its own (KRaft, one node)."""

import base64
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.availability import skip_or_fail
from tests.real.free_port import free_port
from tests.real.kafka_jars import VERSION, KafkaMissingError, find_jars, find_java

_READY_ATTEMPTS = 1200  # a minute; it takes five seconds
_MEMORY = ("-Xmx300m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_SETTINGS = """
process.roles={roles}
node.id={node}
listeners={listeners}
advertised.listeners={protocol}://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,{protocol}:{protocol}
inter.broker.listener.name={protocol}
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=1000
log.cleaner.dedupe.buffer.size=8388608
{more}
"""


class KafkaBroker:
    """A broker that can be stopped, killed, frozen and started again; data and port stay."""

    def __init__(
        self,
        folder: Path,
        *,
        version: str = VERSION,
        protocol: str = "PLAINTEXT",
        more: str = "",
        beside: "KafkaBroker | None" = None,
    ) -> None:
        """`beside` is the broker of the same cluster that was made before it; the first has the controller. Raises KafkaMissingError."""
        self._java = [str(find_java()), *_MEMORY, "-cp", f"{find_jars(version)}/*"]
        self.folder = folder
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self.settings_file = folder / "broker.properties"
        self.controller_port: int = beside.controller_port if beside else free_port()
        self._node: int = beside._node + 1 if beside else 1
        own = f"{protocol}://127.0.0.1:{self.port}"
        text = _SETTINGS.format(
            roles="broker" if beside else "broker,controller",
            node=self._node,
            listeners=own if beside else f"{own},CONTROLLER://127.0.0.1:{self.controller_port}",
            protocol=protocol,
            port=self.port,
            controller=self.controller_port,
            folder=folder,
            more=more,
        )
        self.settings_file.write_text(text)
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._cluster: str = beside._cluster if beside else made
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def server(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def uri(self, prefix: str = "homes", *, partitions: int = 2) -> str:
        return f"kafka://{self.server}/{prefix}?partitions={partitions}&replicas=1"

    def format(self, *more: str) -> None:
        """Prepare its folder; `more` are options of Kafka's own tool."""
        self.run(
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={self._cluster}",
            "-c",
            str(self.settings_file),
            *more,
        )

    def start(self) -> None:
        """Returns when it listens."""
        with (self.folder / "log").open("ab") as log:
            log_bytes = log.tell()
            command = [*self._java, "kafka.Kafka", str(self.settings_file)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(_READY_ATTEMPTS):
            assert self._process.poll() is None, f"Kafka ended; see {self.folder / 'log'}"
            if self._is_ready(log_bytes):
                return
            time.sleep(0.05)
        raise AssertionError(f"Kafka did not begin; see {self.folder / 'log'}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Returns when the process is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(60)

    def send_signal(self, how: signal.Signals) -> None:
        """For instance to freeze it."""
        assert self._process is not None
        self._process.send_signal(how)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def run(self, tool: str, *arguments: str, seconds: float = 60) -> str:
        """What one of Kafka's own command-line tools prints. Fails when it does."""
        done = subprocess.run(
            [*self._java, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", tool, *arguments],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={name: value for name, value in os.environ.items() if not name.startswith("JAVA_")},
        )
        assert done.returncode == 0, done.stderr or done.stdout
        return done.stdout

    def _is_ready(self, log_bytes: int) -> bool:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
        return b"Kafka Server started" in (self.folder / "log").read_bytes()[log_bytes:]


@contextmanager
def running_kafka(
    folder: Path, *, version: str = VERSION, protocol: str = "PLAINTEXT", more: str = ""
) -> Iterator[KafkaBroker]:
    """A running broker. Raises KafkaMissingError."""
    broker = KafkaBroker(folder, version=version, protocol=protocol, more=more)
    broker.format()
    broker.start()
    try:
        yield broker
    finally:
        broker.stop(signal.SIGKILL)


@contextmanager
def kafka_or_skip(
    folder: Path, *, version: str = VERSION, protocol: str = "PLAINTEXT", more: str = ""
) -> Iterator[KafkaBroker]:
    """A running broker; where there is none, the test is skipped, or fails in CI."""
    try:
        with running_kafka(folder, version=version, protocol=protocol, more=more) as broker:
            yield broker
    except KafkaMissingError as reason:
        skip_or_fail(str(reason))
