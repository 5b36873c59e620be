"""The records that are held of a home, from the messages in its partition."""

import json

from engine.core.records.content_hash import content_hash
from engine.core.records.record_json import canonical_fields
from engine.replicas.kafka.messages import SiteKey, TopicEntry, encode_key
from engine.replicas.kafka.partition.holding import HeldPartition
from engine.replicas.kafka.topics import TopicNames
from tests.homes import device, entity

NAMES = TopicNames("homes")
FIRST = SiteKey("s1", entity(1).key)


def reported(offset: int, name: str | None, site: str = "s1") -> TopicEntry:
    value = None if name is None else json.dumps({"after": canonical_fields(entity(1, name=name))}).encode()
    return TopicEntry("homes.entity", offset, encode_key(site, entity(1).key), value)


def test_the_newest_message_of_a_record_is_held() -> None:
    held = HeldPartition(NAMES, "s1")
    assert [held.fold(reported(n, name)) for n, name in enumerate("ab")] == [FIRST] * 2
    assert held.of("s1").versions == {entity(1).key: content_hash(entity(1, name="b"))}
    assert held.places([FIRST, SiteKey("s1", device(1).key)]) == {"homes.entity": {1: FIRST}}
    held.fold(reported(2, None))
    assert held.of("s1").versions == {}
    assert held.places([FIRST]) == {}
    held.fold(reported(3, None))


def test_messages_of_another_home_in_the_same_partition_are_ignored() -> None:
    held = HeldPartition(NAMES, "s1")
    assert held.fold(reported(0, "a", site="s2")) is None
    assert (held.of("s1").versions, held.strange) == ({}, 0)


def test_messages_of_other_programs_are_counted_and_ignored() -> None:
    held = HeldPartition(NAMES, "s1")
    for offset, key in enumerate(
        [None, b"rubbish", b'{"site":"s1","id":"x"}', encode_key("s1", device(1).key)]
    ):
        assert held.fold(TopicEntry("homes.entity", offset, key, b"x")) is None
    assert held.of("s1").versions == {}
    assert held.strange == 4
    assert held.first_strange == ("homes.entity", 0)
