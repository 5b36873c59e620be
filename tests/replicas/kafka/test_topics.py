"""Names, partitions and set-up of topics."""

import pytest

from engine.core.records.registries import REGISTRIES
from engine.errors import ReplicaRejected
from engine.replicas.kafka.topics import (
    TopicNames,
    TopicState,
    check_topics,
    check_user,
    partition_of,
    settings_of,
    shortage_of,
)

NAMES = TopicNames("homes")


def test_there_is_a_topic_for_each_registry_and_one_of_changes() -> None:
    assert set(NAMES.records) == {f"homes.{registry}" for registry in REGISTRIES}
    assert NAMES.all == (*NAMES.records, "homes.changes")
    assert [NAMES.registry(topic) for topic in NAMES.records] == list(REGISTRIES)


def test_the_partition_of_a_home_is_a_published_hash_and_never_changes() -> None:
    # CRC-32 of the name, which many languages have: anything else would move homes.
    assert [partition_of(site, 48) for site in ("home", "flat-1", "house-2")] == [16, 7, 26]
    assert partition_of("home", 1) == 0


def test_records_are_compacted_and_changes_kept_for_90_days() -> None:
    assert settings_of(NAMES, "homes.device", 3) == {
        "cleanup.policy": "compact",
        "delete.retention.ms": "604800000",
        "min.insync.replicas": "2",
    }
    assert settings_of(NAMES, "homes.changes", 1) == {
        "cleanup.policy": "delete",
        "retention.ms": "7776000000",
        "min.insync.replicas": "1",
    }


def state(policy: str | None = "compact", partitions: int = 48) -> TopicState:
    return TopicState(partitions, 3, 3, None if policy is None else {"cleanup.policy": policy})


@pytest.mark.parametrize(
    ("topic", "found", "reported"),
    [
        ("homes.device", state(partitions=12), "12 partitions, but the settings ask for 48"),
        ("homes.device", state("delete"), "delete records.*must be compact"),
        ("homes.device", state("compact,delete"), "delete records"),
        ("homes.changes", state("compact"), "delete changes.*must be delete"),
    ],
)
def test_topics_in_which_something_would_be_lost_are_refused(
    topic: str, found: TopicState, reported: str
) -> None:
    with pytest.raises(ReplicaRejected, match=reported) as refused:
        check_topics(NAMES, {topic: found}, 48, "records.uri")
    assert topic in refused.value.message
    assert refused.value.hint


def test_correct_topics_and_hidden_settings_are_accepted() -> None:
    check_topics(NAMES, {"homes.device": state(), "homes.changes": state("delete")}, 48, "records.uri")
    check_topics(NAMES, {"homes.device": state(None)}, 48, "records.uri")


@pytest.mark.parametrize(("in_sync", "is_short"), [(3, False), (2, False), (1, True)])
def test_too_few_replicas_are_reported(in_sync: int, is_short: bool) -> None:
    reported = shortage_of("homes.device", TopicState(48, 3, in_sync, {"min.insync.replicas": "2"}))
    assert bool(reported) is is_short
    assert shortage_of("homes.device", TopicState(48, 3, 1, None)) is None


@pytest.mark.parametrize("setting", ["records.uri", "records.kafka_uri", "fleet.brokers"])
def test_what_to_change_is_the_setting_in_use(setting: str) -> None:
    with pytest.raises(ReplicaRejected) as refused:
        check_topics(NAMES, {"homes.device": TopicState(12, 1, 1, None)}, 48, setting)
    assert f"add partitions=12 to {setting};" in refused.value.hint


def test_a_forbidden_topic_is_named_with_the_missing_permission() -> None:
    fine = TopicState(4, 1, 1, None)
    check_user(NAMES, {"homes.device": fine, "homes.changes": TopicState(4, 1, 1, None, ("Read",))})
    for topic, lacking in (("homes.device", "Read"), ("homes.sites", "Write"), ("homes.changes", "Write")):
        with pytest.raises(ReplicaRejected) as refused:
            check_user(NAMES, {"homes.area": fine, topic: TopicState(4, 1, 1, None, (lacking,))})
        assert refused.value.message == f"This user may not {lacking.lower()} topic {topic}."
        assert f"Grant it {lacking} on topics that begin with `homes.`." in refused.value.hint
