"""`kafka://HOST:9092,HOST:9092/PREFIX?partitions=48&replicas=3`: where records go. `kafkas` means TLS.

It holds no secrets. Further settings of the client come from a file of librdkafka properties.
"""

import re
from collections.abc import Mapping
from typing import Literal, cast
from urllib.parse import parse_qsl, unquote

import msgspec

from engine.errors import SettingsError

SCHEMES = ("kafka", "kafkas")
PARTITIONS = 48
REPLICAS = 3

_DEFAULT_PORT = 9092
_DEFAULT_PREFIX = "reconcile"
_FORM = (
    "Use kafka://HOST:9092,HOST:9092/PREFIX?partitions=48&replicas=3&sasl=SCRAM-SHA-512, or kafkas:// for TLS; "
    "the options may be left out."
)
_SERVER = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]@]+)(?::(?P<port>\d{1,5}))?")
_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,200}")
_SASL = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_COUNTS = {"partitions": 10_000, "replicas": 32}

SaslName = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class KafkaAddress(msgspec.Struct, frozen=True):
    """The topics of a prefix on a cluster. `servers` are the brokers that a client connects to first."""

    servers: tuple[str, ...]
    prefix: str = _DEFAULT_PREFIX
    partitions: int = PARTITIONS
    replicas: int = REPLICAS  # of topics that this program creates
    sasl: SaslName = "SCRAM-SHA-512"  # if a user name is given
    tls: bool = False
    setting: str = "records.uri"  # the setting that names it, for messages

    def __str__(self) -> str:
        """The address as in the settings, to show in messages."""
        return f"{'kafkas' if self.tls else 'kafka'}://{','.join(self.servers)}/{self.prefix}"


def parse_address(uri: str, setting: str = "records.uri") -> KafkaAddress:
    """The address that a setting names. Raises SettingsError, which does not repeat a password."""
    scheme, _, rest = uri.partition("://")
    rest, _, query = rest.partition("?")
    hosts, _, path = rest.partition("/")
    if "@" in hosts:
        raise SettingsError(
            f"Setting {setting} holds a user name or password.",
            "Put them in records.username and records.password_file, or in RECONCILE_RECORDS__PASSWORD.",
        )
    servers = tuple(_server(part.strip(), setting) for part in hosts.split(",") if part.strip())
    if scheme not in SCHEMES or not servers:
        raise SettingsError(f"Setting {setting} names no Kafka broker.", _FORM)
    prefix = unquote(path) or _DEFAULT_PREFIX
    if not _PREFIX.fullmatch(prefix):
        raise SettingsError(
            f"Setting {setting} has the prefix {prefix!r}, which is no valid topic name.",
            "Use 1 to 200 characters: A-Z, a-z, 0-9, dot, hyphen and underscore.",
        )
    options = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(options.keys() - {"sasl", *_COUNTS}):
        # The value is not shown: it may hold a password.
        raise SettingsError(f"Setting {setting} has the unknown option {unknown[0]}.", _FORM)
    sasl = options.get("sasl", "SCRAM-SHA-512")
    if sasl not in _SASL:
        raise SettingsError(
            f"Setting {setting} names an unknown SASL mechanism; the known ones are {', '.join(_SASL)}."
        )
    return KafkaAddress(
        servers,
        prefix,
        _count(options, "partitions", PARTITIONS, setting),
        _count(options, "replicas", REPLICAS, setting),
        cast("SaslName", sasl),
        tls=scheme == "kafkas",
        setting=setting,
    )


def _server(text: str, setting: str) -> str:
    found = _SERVER.fullmatch(text)
    port = int(found["port"] or _DEFAULT_PORT) if found else 0
    if found is None or not 0 < port < 65_536:
        raise SettingsError(f"Setting {setting} has a broker that is not HOST:PORT: {text!r}.", _FORM)
    return f"{found['host']}:{port}"


def _count(options: Mapping[str, str], name: str, default: int, setting: str) -> int:
    text, most = options.get(name, str(default)), _COUNTS[name]
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:9]) <= most:
        raise SettingsError(f"Setting {setting} has a {name} that is not a number from 1 to {most}.", _FORM)
    return int(text)
