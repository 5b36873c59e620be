"""A process that dies silently: its homes are unknown two minutes after its last message, for all that received it."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from api.fleet.queries import ViewedSitesQuery
from engine.claims import Claim, claim_alone
from engine.fleet_view.folding import Folding
from engine.fleet_view.view_file.reading import ViewReader
from engine.fleet_view.view_file.schema import TopicsIdentity
from engine.fleet_view.view_file.store import ViewStore
from engine.replicas.kafka.fleet import Worker
from engine.replicas.kafka.messages import PlacedEntry
from engine.replicas.kafka.sites.overview import overview
from engine.replicas.kafka.sites.site_status import FRESH_MS, WorkerStatus
from engine.replicas.kafka.topics import TopicNames
from engine.sites.sharing.status_exchange import OwnedSite, StatusExchange, T
from tests.fakes.site_topic import PARTITIONS, MemoryTopic
from tests.loop.virtual_time import clock, inline
from tests.sites.homes import kept

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class Keeps:
    """One home, s1, in sync, or none."""

    def __init__(self, *names: str) -> None:
        self._homes = [
            OwnedSite(name, claim_alone(name), lambda: kept("s1"), lambda: {"entity": 2}) for name in names
        ]

    def owned(self) -> list[OwnedSite]:
        return self._homes

    def claims(self) -> list[Claim]:
        return []


def exchange(topic: MemoryTopic, name: str) -> StatusExchange:
    worker = WorkerStatus(worker=name, state="active", ts_ms=0, url=f"http://{name}:8099")
    made = StatusExchange(topic.end(), worker, directory="sites.d", clock=clock, on_trouble=print)
    made.take_files({})
    return made


def viewed(topic: MemoryTopic, folder: Path) -> ViewReader:
    """A view that has read the topic."""
    store, folding = ViewStore(folder / "view.db", clock), Folding(TopicNames("fleet"), PARTITIONS)
    store.begin(TopicsIdentity("fleet", PARTITIONS, {}))
    placed = [
        PlacedEntry(e.topic, e.offset, e.key, e.value, e.headers, partition) for partition, e in topic.log
    ]
    folding.read(placed, clock())
    store.apply(folding.take({}, clock()))
    store.close()
    return ViewReader(folder / "view.db")


async def test_a_home_is_unknown_two_minutes_after_its_owners_last_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def in_thread(_self: object, job: Callable[[], T]) -> T:
        return await inline(job)

    monkeypatch.setattr(StatusExchange, "_in_thread", in_thread)
    topic = MemoryTopic()
    one, two = exchange(topic, "one"), exchange(topic, "two")
    async with anyio.create_task_group() as others:
        others.start_soon(two.run, Keeps())
        async with anyio.create_task_group() as owner:
            owner.start_soon(one.run, Keeps("s1"))
            await anyio.sleep(200)
            owner.cancel_scope.cancel()  # killed: no last word
        said_at = two.known.sites["s1"].ts_ms / 1000
        assert clock() - said_at < 60  # it was repeated while its owner lived
        reader = viewed(topic, tmp_path)

        def words() -> tuple[str, str, bool]:
            """In `fleet status`, whose group has not noticed yet, in a view, and whether a request is led to its owner."""
            member = Worker("one", "h1", tuple(range(PARTITIONS)))
            (shown,) = overview((member,), two.known, (), PARTITIONS, clock()).sites
            with reader.transaction() as transaction:
                (site,) = transaction.sites(ViewedSitesQuery(), clock())
            elsewhere = two.elsewhere("s1")
            assert elsewhere is not None
            return shown.status, site.status, elsewhere.is_current

        await anyio.sleep(said_at + FRESH_MS / 1000 - clock() - 1)
        assert words() == ("in_sync", "in_sync", True)
        await anyio.sleep(2)
        assert words() == ("unknown", "unknown", False)
        (shown,) = overview((), two.known, (), PARTITIONS, clock()).sites
        assert shown.reason == "no process keeps it; one was the last to"
        assert two.state().unowned == 1
        reader.close()
        others.cancel_scope.cancel()
