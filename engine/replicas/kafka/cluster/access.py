"""How to connect to a cluster: addresses, a user, and a file of librdkafka properties.

Pure but for reading that file. The file cannot set the properties that this program's guarantees depend on.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from engine.errors import SettingsError
from engine.replicas.kafka.address import KafkaAddress
from engine.secret import Secret

# With other values a message could be lost, written twice, or read before it is committed.
_OURS = frozenset(
    {
        "acks",
        "request.required.acks",
        "allow.auto.create.topics",
        "auto.offset.reset",
        "bootstrap.servers",
        "metadata.broker.list",
        "enable.auto.commit",
        "enable.idempotence",
        "enable.partition.eof",
        "group.id",
        "isolation.level",
        "max.in.flight",
        "max.in.flight.requests.per.connection",
        "message.timeout.ms",
        "delivery.timeout.ms",
        "transaction.timeout.ms",
        "transactional.id",
    }
)


class Access(msgspec.Struct, frozen=True):
    """A cluster and the user who connects to it."""

    address: KafkaAddress
    username: str = ""
    password: Secret = Secret("")
    properties: Mapping[str, str] = {}
    timeout_seconds: float = 30.0

    @property
    def where(self) -> str:
        """The cluster, to show in messages."""
        return ",".join(self.address.servers)

    @property
    def is_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.properties.get("security.protocol", self._protocol()).upper().endswith("SSL")

    def configuration(self) -> dict[str, object]:
        """The configuration of every client, including the password."""
        found: dict[str, object] = {
            "bootstrap.servers": self.where,
            "client.id": "ha-reconcile",
            "allow.auto.create.topics": False,
            "reconnect.backoff.max.ms": 1_000,
            "security.protocol": self._protocol(),
        }
        if self.username:
            found |= {
                "sasl.mechanism": self.address.sasl,
                "sasl.username": self.username,
                "sasl.password": self.password.reveal(),
            }
        return found | dict(self.properties)

    def _protocol(self) -> str:
        if self.username:
            return "SASL_SSL" if self.address.tls else "SASL_PLAINTEXT"
        return "SSL" if self.address.tls else "PLAINTEXT"


def read_properties(file: str) -> dict[str, str]:
    """The properties in a file: `name=value`, one per line; lines with # are comments. Raises SettingsError, which shows no values."""
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"records.properties_file = {file} cannot be read: {reason}.") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f"records.properties_file = {file} has no `name=value` in line {number}.")
        if name.strip() in _OURS:
            raise SettingsError(
                f"records.properties_file = {file} sets {name.strip()} in line {number}, which only this program may set.",
                "Remove the line.",
            )
        found[name.strip()] = value.strip()
        _check_place(file, number, name.strip(), value.strip())
    return found


def _check_place(file: str, number: int, name: str, value: str) -> None:
    """Raises SettingsError for a missing file, which librdkafka would report in OpenSSL's words."""
    if not name.endswith(".location") or value == "probe":
        return
    try:
        if not Path(value).is_dir():
            Path(value).open("rb").close()
    except OSError as error:
        raise SettingsError(
            f"records.properties_file = {file} names {name} = {value} in line {number}, which cannot be read: {error.strerror}.",
            "Correct the path. A relative path starts at the folder in which this program runs.",
        ) from error
