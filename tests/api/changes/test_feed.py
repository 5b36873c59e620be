"""One reader for all: wakes, bounds, resets. No file, no clock: the store is a list."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import pytest

from api.changes.feed import QUEUE_MAX, ChangeFeed, FeedSubscription, NoPlace
from engine.errors import ReplicaUnavailable
from tests.api.serving import eventually

T = TypeVar("T")


class ListRowsReader:
    """A feed in memory that counts its readings."""

    def __init__(self, newest: int = 0) -> None:
        self.oldest, self.newest = (1 if newest else 0), newest
        self.reads = 0
        self.is_away = False
        self.gate: anyio.Event | None = None  # a reading waits for it

    async def read(self, job: Callable[[Any], T], /) -> T:
        self.reads += 1
        await anyio.lowlevel.checkpoint()
        if self.gate is not None:
            await self.gate.wait()
        if self.is_away:
            raise ReplicaUnavailable("sqlite", "away")
        return job(self)

    def data_version(self) -> int | None:
        return None

    def feed_bounds(self) -> tuple[int, int]:
        return self.oldest, self.newest

    def changes(self, after: int, limit: int) -> list[tuple[Any, ...]]:
        seqs = range(max(after + 1, self.oldest), min(after + limit, self.newest) + 1)
        return [(s, "u", ("device", "entity")[s % 2], "k", "{}", "{}", 1.0, "drift", "r", None) for s in seqs]


@asynccontextmanager
async def running(newest: int = 5) -> AsyncIterator[tuple[ChangeFeed, ListRowsReader]]:
    rows_reader = ListRowsReader(newest)
    feed = ChangeFeed(rows_reader)
    async with anyio.create_task_group() as group:
        group.start_soon(feed.run)
        await eventually(lambda: feed.is_readable)
        yield feed, rows_reader
        feed.close()


async def add(feed: ChangeFeed, rows_reader: ListRowsReader, count: int) -> None:
    rows_reader.newest += count
    feed.notify()
    await eventually(lambda: feed.latest == rows_reader.newest)


async def read_all(subscription: FeedSubscription) -> list[tuple[str, int]]:
    found = []
    while len(subscription):
        event = await subscription.next()
        assert event is not None
        found.append((event.kind, event.seq))
    return found


async def test_it_begins_at_the_present() -> None:
    async with running(5) as (feed, _):
        with feed.subscribe(None) as subscription:
            assert (subscription.head, len(subscription)) == (5, 0)


async def test_every_stream_gets_every_change_from_one_reading() -> None:
    async with running() as (feed, rows_reader):
        with feed.subscribe(None) as one, feed.subscribe("entity") as two:
            reads = rows_reader.reads
            await add(feed, rows_reader, 4)
            assert await read_all(one) == [("change", s) for s in (6, 7, 8, 9)]
            assert await read_all(two) == [("change", 7), ("change", 9)]
            assert rows_reader.reads == reads + 1


async def test_a_stream_that_comes_during_a_reading_without_streams_loses_nothing() -> None:
    async with running(5) as (feed, rows_reader):
        rows_reader.gate = anyio.Event()
        reads = rows_reader.reads
        rows_reader.newest += 2
        feed.notify()
        await eventually(lambda: rows_reader.reads > reads)
        with feed.subscribe(None) as subscription:
            assert subscription.head == 5
            rows_reader.gate.set()
            await eventually(lambda: feed.latest == 7)
            assert await read_all(subscription) == [("change", 6), ("change", 7)]


async def test_many_notices_in_a_row_cost_one_reading() -> None:
    async with running() as (feed, rows_reader):
        reads = rows_reader.reads
        for _ in range(100):
            feed.notify()
        await add(feed, rows_reader, 1)
        assert rows_reader.reads == reads + 1


async def test_a_reader_that_reads_loses_nothing_of_a_burst() -> None:
    async with running() as (feed, rows_reader), anyio.create_task_group() as group:
        seen: list[int] = []

        async def follow() -> None:
            with feed.subscribe(None) as subscription:
                while len(seen) < 1000:
                    event = await subscription.next()
                    assert event is not None
                    assert event.kind == "change"
                    seen.append(event.seq)

        group.start_soon(follow)
        await anyio.wait_all_tasks_blocked()
        await add(feed, rows_reader, 1000)
        await eventually(lambda: len(seen) == 1000)
        assert seen == list(range(6, 1006))


async def test_a_reader_that_does_not_read_is_reset_and_delays_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.changes.feed.DRAIN_SECONDS", 0.0)
    async with running() as (feed, rows_reader):
        with feed.subscribe(None) as stuck:
            await add(feed, rows_reader, 1000)
            assert len(stuck) == 1
            assert await read_all(stuck) == [("reset", 1005)]
            await add(feed, rows_reader, 1)
            assert await read_all(stuck) == [("change", 1006)]


async def test_the_queue_has_a_bound() -> None:
    async with running() as (feed, rows_reader):
        with feed.subscribe(None) as stuck:
            for _ in range(QUEUE_MAX):
                feed._publish([], feed.latest)
            rows_reader.newest += QUEUE_MAX // 2
            feed.notify()
            await eventually(lambda: feed.latest == rows_reader.newest)
            assert len(stuck) <= QUEUE_MAX


async def test_another_file_resets_all_readers() -> None:
    async with running(50) as (feed, rows_reader):
        with feed.subscribe(None) as subscription:
            rows_reader.newest = 3
            feed.notify()
            await eventually(lambda: feed.latest == 3)
            assert await read_all(subscription) == [("reset", 3)]


async def test_changes_lost_before_they_were_read_reset_all_readers() -> None:
    async with running(5) as (feed, rows_reader):
        with feed.subscribe(None) as subscription:
            rows_reader.oldest, rows_reader.newest = 10, 20
            feed.notify()
            await eventually(lambda: feed.latest == 20)
            assert await read_all(subscription) == [("reset", 20)]


async def test_places_are_bounded_and_come_free() -> None:
    async with running() as (feed, _):
        with feed.subscribe(None):
            pass
        opened = [feed.subscribe(None) for _ in range(8)]
        for subscription in opened:
            subscription.__enter__()
        with pytest.raises(NoPlace, match="All 8 places"), feed.subscribe(None):
            pass
        opened[0].__exit__(None, None, None)
        assert feed.streams == 7


async def test_no_reader_can_follow_before_the_first_look() -> None:
    feed = ChangeFeed(ListRowsReader())
    with pytest.raises(NoPlace, match="not read yet"), feed.subscribe(None):
        pass


async def test_a_store_that_is_away_is_tried_again() -> None:
    async with running(5) as (feed, rows_reader):
        rows_reader.is_away = True
        feed.notify()
        await eventually(lambda: not feed.is_readable)
        rows_reader.is_away = False
        await add(feed, rows_reader, 1)
        assert feed.is_readable


async def test_waiting_ends_with_a_newer_change_or_with_the_feed() -> None:
    async with running(5) as (feed, rows_reader), anyio.create_task_group() as group:
        woken: list[int] = []

        async def wait(seq: int) -> None:
            await feed.wait_newer(seq)
            woken.append(seq)

        for seq in (4, 5, 6):
            group.start_soon(wait, seq)
        await eventually(lambda: woken == [4])
        await add(feed, rows_reader, 1)
        await eventually(lambda: woken == [4, 5])
        feed.close()
        await eventually(lambda: woken == [4, 5, 6])
