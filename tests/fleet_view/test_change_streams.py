"""Readers of the feed, a few at a time, until the service ends."""

from contextlib import AsyncExitStack

import pytest

from engine.errors import ReplicaUnavailable, SettingsError
from engine.fleet_view.change_streams import STREAMS_MAX, ChangeStreams
from engine.fleet_view.changes import ChangeFollower
from tests.fleet_view.test_changes import Feed, follower_of

pytestmark = pytest.mark.anyio


async def test_each_reader_has_its_own_place() -> None:
    feeds = [Feed(), Feed()]
    waiting = iter(feeds)
    streams = ChangeStreams(lambda: follower_of(next(waiting)))
    async with streams.follow("") as first, streams.follow("0-0-0-0") as second:
        assert first.has_place
        assert second.has_place
        feeds[0].say("a", "Lamp")
        found = await first.next()
        assert found is not None
        assert [one.change.name for one in found] == ["Lamp"]
        assert await second.next() == []
        streams.close()
        with pytest.raises(StopAsyncIteration):
            await first.next()
    assert not feeds[0].is_open


async def test_too_many_readers_are_refused_and_room_is_made_again() -> None:
    streams = ChangeStreams(lambda: follower_of(Feed()))
    async with AsyncExitStack() as open_:
        for _ in range(STREAMS_MAX):
            await open_.enter_async_context(streams.follow(""))
        with pytest.raises(ReplicaUnavailable, match="8 streams of changes are open"):
            async with streams.follow(""):
                pass
    async with streams.follow(""):
        pass


async def test_a_kafka_that_is_away_takes_no_place() -> None:
    feed = Feed()
    streams = ChangeStreams(lambda: follower_of(feed))
    for _ in range(STREAMS_MAX + 1):
        feed.failure = ReplicaUnavailable("kafka", "Kafka is away.")
        with pytest.raises(ReplicaUnavailable, match="Kafka is away"):
            async with streams.follow(""):
                pass


async def test_a_reader_that_cannot_be_made_takes_no_place() -> None:
    def refuse() -> ChangeFollower:
        raise SettingsError("The file of properties is gone.")

    streams = ChangeStreams(refuse)
    for _ in range(STREAMS_MAX + 1):
        with pytest.raises(SettingsError, match="properties is gone"):
            async with streams.follow(""):
                pass
