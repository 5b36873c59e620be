"""Composes Kafka from settings: the records store and its checks.

Separate from `run.py` so that its client is neither loaded nor required for the many homes without Kafka.
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
        # A service in observe mode keeps the stores open for its lifetime, and writes nothing either.
        read_only=read_only or settings.plan.mode == "observe",
    )


def examine_topics(loaded: LoadedSettings) -> "tuple[KafkaCheck, ...]":
    """The findings of `reconcile doctor` about Kafka; failures are findings too. Raises SettingsError."""
    access, site = _access(loaded), loaded.settings.site.name
    with _client_installed(access):
        from engine.replicas.kafka.cluster.log import home_log  # noqa: PLC0415 (see above)
        from engine.replicas.kafka.doctor import examine_kafka  # noqa: PLC0415
    with closing(home_log(access, site)) as log:
        return examine_kafka(log, access.address, site)


def open_ownership(loaded: LoadedSettings, on_trouble: Callable[[EngineError], None]) -> Ownership:
    """The sharing of homes between the processes of a fleet. Connects to nothing yet. Raises SettingsError."""
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
    """Remove a home without a settings file from the fleet; False if the fleet does not know it. Raises SettingsError, ReplicaError."""
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
                f"{status.owner} last reported a settings file for {site}.",
                f"Remove the file on every machine first (`reconcile site remove {site}`); processes notice within seconds.",
            )
        message = encode_site_removed(topic.name, site, worker_name(), status.claim)
        topic.send([Outgoing(partition_of(site, topic.partitions), message)])
        topic.flush(loaded.settings.records.timeout_seconds)
        topic.send([])  # raises if it was not delivered
    return True


def kafka_versions() -> tuple[str, str] | None:
    """The versions of Kafka's client and of the library below it; None if it is not installed."""
    try:
        from engine.replicas.kafka.cluster.clients import client_versions  # noqa: PLC0415 (see above)
    except ModuleNotFoundError as error:
        if not _is_client(error):
            raise
        return None
    return client_versions()


def worker_name() -> str:
    """The name of this process in a fleet."""
    return f"{socket.gethostname()}-{os.getpid()}"


def open_fleet(loaded: LoadedSettings) -> "ClusterFleet":
    """A fleet as the cluster knows it. Connects to nothing yet. Raises SettingsError."""
    access = _fleet_access(loaded)
    with _client_installed(access):
        from engine.replicas.kafka.cluster.workers import ClusterFleet  # noqa: PLC0415 (see above)
    return ClusterFleet(access)


def open_whole_topics(loaded: LoadedSettings, topics: Sequence[str]) -> "WholeTopics":
    """All partitions of some of a fleet's topics, named without the prefix. Connects to nothing yet. Raises SettingsError."""
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
