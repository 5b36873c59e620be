"""Kafka put together from settings: the records store and its checks.

Apart from `run.py` because few homes have a Kafka, and its client need be neither loaded nor installed for the others.
"""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from time import time
from typing import TYPE_CHECKING

from engine.claims import Claim, Ownership, claim_alone
from engine.errors import EngineError, SettingsError
from engine.ports import Replica
from engine.process.clock import since_boot
from engine.process.installation import how_to_add_kafka
from engine.replicas.kafka.address import parse_address
from engine.replicas.kafka.cluster.access import Access, read_properties
from engine.replicas.kafka.topics import TopicNames, partition_of
from engine.settings.sections import LoadedSettings
from engine.settings.stores import fleet_uri, kafka_setting, kafka_uri

if TYPE_CHECKING:
    from engine.replicas.kafka.cluster.site_topic import ClusterSiteTopic
    from engine.replicas.kafka.cluster.whole_topics import WholeTopics
    from engine.replicas.kafka.cluster.workers import ClusterFleet
    from engine.replicas.kafka.doctor import KafkaCheck

NO_FLEET = "No fleet is configured.", "Set fleet.brokers (RECONCILE_FLEET__BROKERS) in reconcile.toml."


def open_kafka_records(loaded: LoadedSettings, *, read_only: bool, claim: Claim | None = None) -> Replica:
    """The records store in Kafka. Connects to nothing yet. Raises SettingsError, also without the client library."""
    settings = loaded.settings
    access = _access(loaded)
    with _client_installed(access):
        from engine.replicas.kafka.open import open_kafka  # noqa: PLC0415 (the client may not be installed)
    return open_kafka(
        access,
        site=settings.site.name,
        claim=claim or claim_alone(settings.site.name),
        verify_seconds=settings.records.verify_seconds,
        # A service in observe mode keeps the stores open for its whole life, and writes nothing either.
        read_only=read_only or settings.plan.mode == "observe",
    )


def examine_topics(loaded: LoadedSettings) -> "tuple[KafkaCheck, ...]":
    """What `reconcile doctor` says of Kafka. Raises SettingsError; what fails there is a finding."""
    access, site = _access(loaded), loaded.settings.site.name
    with _client_installed(access):
        from engine.replicas.kafka.cluster.log import home_log  # noqa: PLC0415 (see above)
        from engine.replicas.kafka.doctor import examine_kafka  # noqa: PLC0415
    with closing(home_log(access, site)) as log:
        return examine_kafka(log, access.address, site)


def open_ownership(loaded: LoadedSettings, on_trouble: Callable[[EngineError], None]) -> Ownership:
    """How the processes of a fleet share its homes. Connects to nothing yet. Raises SettingsError."""
    fleet = loaded.settings.fleet
    access = _access(loaded, fleet_uri(fleet), "fleet.brokers")
    if loaded.settings.sites.shard != "1/1":
        raise SettingsError(
            "sites.shard (--shard) gives this process a fixed share of the homes, and fleet.brokers lets Kafka share them out.",
            "Leave out one of them.",
        )
    with _client_installed(access):
        from engine.replicas.kafka.cluster.group import GroupOwnership  # noqa: PLC0415 (see above)
        from engine.replicas.kafka.open import open_shared  # noqa: PLC0415
    return GroupOwnership(
        access,
        worker_name(),
        session_seconds=fleet.session_seconds,
        clock=since_boot,
        on_trouble=on_trouble,
        share=partial(open_shared, access, verify_seconds=loaded.settings.records.verify_seconds),
    )


def open_site_topic(loaded: LoadedSettings) -> "ClusterSiteTopic":
    """The topic in which processes exchange the status of homes. Connects to nothing yet. Raises SettingsError."""
    access = _access(loaded, fleet_uri(loaded.settings.fleet), "fleet.brokers")
    with _client_installed(access):
        from engine.replicas.kafka.cluster.site_topic import ClusterSiteTopic  # noqa: PLC0415 (see above)
    return ClusterSiteTopic(access)


def forget_in_fleet(loaded: LoadedSettings, site: str) -> bool:
    """Let the fleet forget a home that has no settings file any more; False where it knows of none. Raises SettingsError, ReplicaError."""
    from engine.replicas.kafka.sites.known_sites import KnownSites  # noqa: PLC0415 (few homes have a fleet)
    from engine.replicas.kafka.sites.site_status import FRESH_MS, encode_site_removed  # noqa: PLC0415
    from engine.replicas.kafka.sites.site_topic import Outgoing  # noqa: PLC0415

    with closing(open_site_topic(loaded)) as topic:
        known, now_ms = KnownSites(topic.partitions), time() * 1000
        for partition, entry in topic.read_all():
            known.fold(entry, partition, now_ms)
        status = known.sites.get(site)
        if status is None:
            return False
        is_old = abs(now_ms - status.ts_ms) > FRESH_MS
        if not is_old and status.stage not in ("unconfigured", "released"):
            raise SettingsError(
                f"{status.owner} has a settings file of {site}: it said so last.",
                f"Remove the file on every machine first (`reconcile site remove {site}`); it is noticed within seconds.",
            )
        message = encode_site_removed(topic.name, site, worker_name(), status.claim)
        topic.send([Outgoing(partition_of(site, topic.partitions), message)])
        topic.flush(loaded.settings.records.timeout_seconds)
        topic.send([])  # says what became of it
    return True


def kafka_versions() -> tuple[str, str] | None:
    """The versions of Kafka's client and of the library that it is made of; None if it is not installed."""
    try:
        from engine.replicas.kafka.cluster.clients import client_versions  # noqa: PLC0415 (see above)
    except ModuleNotFoundError as error:
        if not _is_client(error):
            raise
        return None
    return client_versions()


def worker_name() -> str:
    """What this process is called in a fleet."""
    return f"{socket.gethostname()}-{os.getpid()}"


def open_fleet(loaded: LoadedSettings) -> "ClusterFleet":
    """What the cluster says of a fleet. Connects to nothing yet. Raises SettingsError."""
    access = _fleet_access(loaded)
    with _client_installed(access):
        from engine.replicas.kafka.cluster.workers import ClusterFleet  # noqa: PLC0415 (see above)
    return ClusterFleet(access)


def open_whole_topics(loaded: LoadedSettings, topics: Sequence[str]) -> "WholeTopics":
    """Some of a fleet's topics, named without the prefix, in all their partitions. Connects to nothing yet. Raises SettingsError."""
    access = _fleet_access(loaded)
    with _client_installed(access):
        from engine.replicas.kafka.cluster.whole_topics import WholeTopics  # noqa: PLC0415 (see above)
    names = TopicNames(access.address.prefix)
    return WholeTopics(access, tuple(map(names.of, topics)))


def _fleet_access(loaded: LoadedSettings) -> Access:
    uri = fleet_uri(loaded.settings.fleet)
    if not uri:
        raise SettingsError(*NO_FLEET)
    return _access(loaded, uri, "fleet.brokers")


def _access(loaded: LoadedSettings, uri: str = "", setting: str = "") -> Access:
    records = loaded.settings.records
    properties = read_properties(records.properties_file) if records.properties_file else {}
    if records.username and not loaded.records_password and "sasl.password" not in properties:
        raise SettingsError(
            "records.username names a user of Kafka, and no password is set.",
            "Set records.password_file, or RECONCILE_RECORDS__PASSWORD.",
        )
    return Access(
        parse_address(uri or kafka_uri(loaded.settings), setting or kafka_setting(loaded.settings)),
        records.username,
        loaded.records_password,
        properties,
        records.timeout_seconds,
    )


@contextmanager
def _client_installed(access: Access) -> Iterator[None]:
    """Around imports that load the client library. Raises SettingsError where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not _is_client(error):
            raise
        raise SettingsError(
            f"{access.address.setting} names a Kafka, and its client confluent-kafka is not installed.",
            how_to_add_kafka(),
        ) from error


def _is_client(missing: ModuleNotFoundError) -> bool:
    return (missing.name or "").partition(".")[0] == "confluent_kafka"
