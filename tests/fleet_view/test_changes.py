"""The feed of changes for one reader: nothing is missed, and nothing comes twice."""

import json
from typing import Any

import pytest

from api.sites.ports import SiteChange
from engine.core.records.record import Key
from engine.fleet_view.changes import ChangeFollower, read_change
from engine.replicas.kafka.messages import PlacedEntry, encode_key
from engine.replicas.kafka.topics import partition_of
from tests.fleet_view.viewed import NAMES, PARTITIONS, MemoryTopics

SOURCE = {"table": "device", "run_id": "run-1", "cause": "pending"}


def said(site: str, name: str = "Lamp", *, offset: int = 0, **more: Any) -> PlacedEntry:
    event = {"before": None, "after": {"name": name}, "op": "u", "source": SOURCE, **more}
    key = encode_key(site, Key("device", "d1"))
    partition = partition_of(site, PARTITIONS)
    return PlacedEntry(NAMES.changes, offset, key, json.dumps(event).encode(), {}, partition)


class Feed(MemoryTopics):
    """The feed in memory, with offsets."""

    def __init__(self) -> None:
        super().__init__()
        self.make(NAMES.changes)

    def say(self, site: str, name: str) -> None:
        entries = self.entries[NAMES.changes, partition_of(site, PARTITIONS)]
        entries.append(said(site, name, offset=len(entries)))


def follower_of(topics: MemoryTopics) -> ChangeFollower:
    return ChangeFollower(topics, "p", PARTITIONS)


def names(follower: ChangeFollower) -> list[str | None]:
    return [found.change.name for found in follower.take(0.0) or ()]


def test_a_reader_begins_now_and_goes_on_where_it_was() -> None:
    feed = Feed()
    feed.say("a", "before")
    follower = follower_of(feed)
    assert follower.begin("")
    assert names(follower) == []
    for number in range(3):
        feed.say("a", f"a{number}")
        feed.say("b", f"b{number}")
    found = follower.take(0.0)
    assert found is not None
    assert sorted(str(one.change.name) for one in found) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    for place, one in enumerate(found):
        again = follower_of(feed)
        assert again.begin(one.id)
        assert names(again) == [later.change.name for later in found[place + 1 :]]
    follower.close()
    assert not feed.is_open


@pytest.mark.parametrize(
    "last_id",
    ["x", "1", "1-2-3", "1-2-3-x", "1-2-3-4-5", "9-9-9-9", f"0-0-0-{'9' * 19}", "-1-0-0-0", "٣-0-0-0"],
)
def test_a_place_that_there_is_not_means_from_now_on(last_id: str) -> None:
    feed = Feed()
    feed.say("a", "before")
    follower = follower_of(feed)
    assert not follower.begin(last_id)
    feed.say("a", "later")
    assert names(follower) == ["later"]


def test_a_truncated_feed_is_reported() -> None:
    feed = Feed()
    follower = follower_of(feed)
    follower.begin("")
    feed.is_cut = True
    feed.say("a", "lost")
    assert follower.take(0.0) is None
    feed.say("a", "later")
    assert names(follower) == ["later"]


def test_a_change_has_the_current_or_last_name_of_its_record() -> None:
    assert read_change(said("a"), PARTITIONS) == SiteChange(
        "a", "kafka", "device", "d1", "Lamp", "pending", "applied", "run-1"
    )
    deleted = read_change(said("a", after=None, before={"name": "Old", "name_by_user": "Mine"}), PARTITIONS)
    assert deleted is not None
    assert deleted.name == "Mine"
    unnamed = read_change(said("a", after={"name": None, "entity_id": 7}), PARTITIONS)
    assert unnamed is not None
    assert unnamed.name is None


def test_what_no_owner_wrote_is_no_change() -> None:
    whole = said("a")
    for key, value, headers, partition in (
        (None, whole.value, {}, whole.partition),
        (whole.key, None, {}, whole.partition),
        (whole.key, b"{", {}, whole.partition),
        (whole.key, b'{"op":"u"}', {}, whole.partition),
        (whole.key, whole.value, {"schema": b"9"}, whole.partition),
        (whole.key, whole.value, {}, (whole.partition + 1) % PARTITIONS),
        (b'{"site":"a","registry":"area","id":"d1"}', whole.value, {}, whole.partition),
    ):
        assert read_change(PlacedEntry(NAMES.changes, 0, key, value, headers, partition), PARTITIONS) is None
