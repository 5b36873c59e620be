"""Processes of a fleet exchange the status of their homes, and the latest owner's status counts."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import msgspec
import pytest

from engine.claims import Claim, ClaimListener
from engine.core.words import SyncStatus
from engine.errors import EngineError, OwnershipLost, ReplicaUnavailable
from engine.replicas.kafka.messages import Message, TopicEntry
from engine.replicas.kafka.sites import due_statuses
from engine.replicas.kafka.sites.site_status import SiteStatus, WorkerStatus, encode_site, encode_site_removed
from engine.replicas.kafka.topics import partition_of
from engine.sites.files import SiteFile
from engine.sites.sharing import status_exchange as module
from engine.sites.sharing.status_exchange import OwnedSite, StatusExchange
from tests.api.serving import eventually
from tests.fakes.site_topic import PARTITIONS, MemoryEnd, MemoryTopic
from tests.homes import NOON
from tests.sites.homes import kept

pytestmark = pytest.mark.anyio
AHEAD = round((NOON + 3600) * 1000)  # of a clock that is an hour ahead
LARGEST = 253_402_300_799_999


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROUND_SECONDS", 0.001)
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.001)
    monkeypatch.setattr(due_statuses, "PAUSE_SECONDS", 0)


class NamedClaim:
    """A claim on the homes that are named, until it is closed."""

    owner = "test@1"
    is_exclusive = True

    def __init__(self, *names: str) -> None:
        self._names = names
        self.is_closed = False

    def covers(self, site: str) -> bool:
        return site in self._names

    def check(self) -> None:
        if self.is_closed:
            raise OwnershipLost("kafka", "It is over.")


class Process:
    """One process of the fleet, whose homes a test names."""

    def __init__(self, topic: MemoryTopic, name: str, now: float = NOON) -> None:
        self.end: MemoryEnd = topic.end()
        self.troubles: list[str] = []
        worker = WorkerStatus(worker=name, state="active", ts_ms=0, url=f"http://{name}:8099")
        self.exchange = StatusExchange(
            self.end, worker, directory="sites.d", clock=lambda: now, on_trouble=self._on_trouble
        )
        self.homes: dict[str, tuple[str, Claim]] = {}
        self.held: list[Claim] = []
        self.exchange.take_files({})

    def has_files_of(self, *names: str) -> None:
        self.exchange._named = dict.fromkeys(names, "digest")

    def keep(self, name: str, word: str, claim: Claim) -> None:
        self.homes[name] = word, claim
        if claim not in self.held:
            self.held.append(claim)

    def owned(self) -> Sequence[OwnedSite]:
        return [
            OwnedSite(name, claim, partial(kept, name, word), lambda: {"entity": 2})
            for name, (word, claim) in self.homes.items()
        ]

    def claims(self) -> Sequence[Claim]:
        return self.held

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.exchange.run, self)
            yield
            tasks.cancel_scope.cancel()

    def _on_trouble(self, error: EngineError) -> None:
        self.troubles.append(str(error))


def put(topic: MemoryTopic, message: Message) -> None:
    """As another program writes it."""
    entry = TopicEntry(message.topic, 9, message.key, message.value, dict(message.headers))
    topic.put(partition_of("s1", PARTITIONS), entry)


def said(topic: MemoryTopic) -> dict[str, tuple[str, str, str]]:
    return {s.site: (s.owner, s.stage, s.status) for s in topic.known().sites.values()}


async def test_each_publishes_its_homes_and_receives_the_others() -> None:
    topic = MemoryTopic()
    one, two = Process(topic, "one"), Process(topic, "two")
    one.keep("s1", "in_sync", NamedClaim("s1"))
    two.keep("s2", "blocked", NamedClaim("s2"))
    one.has_files_of("s1", "s2")
    two.has_files_of("s1", "s2")
    async with one.running(), two.running():
        await eventually(lambda: set(one.exchange.known.sites) == {"s1", "s2"})
        await eventually(lambda: set(two.exchange.known.workers) == {"one", "two"})
    assert said(topic) == {"s1": ("one", "kept", "in_sync"), "s2": ("two", "kept", "blocked")}
    assert one.exchange.known.sites["s2"].url == "http://two:8099"
    assert one.exchange.known.workers["two"].settings == {"s1": "digest", "s2": "digest"}
    assert len(topic.log) == 4  # no process repeats an unchanged status


async def test_a_released_home_gets_a_last_message_and_the_next_owner_a_higher_claim() -> None:
    topic = MemoryTopic()
    one, two = Process(topic, "one", NOON + 3600), Process(topic, "two")  # the first one's clock is ahead
    claim = NamedClaim("s1")
    one.keep("s1", "in_sync", claim)
    async with one.running():
        await eventually(lambda: said(topic) == {"s1": ("one", "kept", "in_sync")})
        claim.is_closed = True
        del one.homes["s1"]
        await one.exchange.release(claim)
        assert said(topic) == {"s1": ("one", "released", "unknown")}
    two.keep("s1", "in_sync", NamedClaim("s1"))
    async with two.running():
        await eventually(lambda: said(topic) == {"s1": ("two", "kept", "in_sync")})


async def test_after_losing_a_claim_a_process_publishes_nothing_and_late_messages_are_superseded() -> None:
    topic = MemoryTopic()
    one, two = Process(topic, "one"), Process(topic, "two")
    claim = NamedClaim("s1")
    claim.is_closed = True
    one.keep("s1", "in_sync", claim)
    two.keep("s1", "out_of_sync", NamedClaim("s1"))
    async with one.running(), two.running():
        await eventually(lambda: said(topic) == {"s1": ("two", "kept", "out_of_sync")})
        late = SiteStatus(
            site="s1", owner="one", claim=AHEAD, stage="kept", status=SyncStatus.IN_SYNC, ts_ms=1
        )
        message = encode_site("fleet.sites", late)
        put(topic, message)
        assert said(topic)["s1"][0] == "one"
        await eventually(lambda: said(topic)["s1"] == ("two", "kept", "out_of_sync"))


async def test_a_claim_that_no_owner_could_exceed_makes_no_home_unknown() -> None:
    topic = MemoryTopic()
    one, two = Process(topic, "one"), Process(topic, "two")
    forged = SiteStatus(
        site="s1", owner="z", claim=LARGEST, stage="released", status=SyncStatus.UNKNOWN, ts_ms=1
    )
    put(topic, encode_site("fleet.sites", forged))
    one.keep("s1", "in_sync", NamedClaim("s1"))
    async with one.running(), two.running():
        await eventually(lambda: said(topic) == {"s1": ("one", "kept", "in_sync")})
        put(topic, encode_site("fleet.sites", forged))
        await eventually(lambda: two.exchange.state().strange_messages == 2)
        assert two.exchange.known.sites["s1"].owner == "one"
        assert two.exchange.is_kept_elsewhere("s1")
        assert "more than a day ahead" in str(two.exchange.known.first_strange)
        await eventually(lambda: set(topic.known().workers) == {"one", "two"})
        kept_so = len(topic.log)
        for _ in range(20):
            await anyio.sleep(0.001)
        assert len(topic.log) == kept_so


@pytest.mark.parametrize("claim", [None, AHEAD])
async def test_a_home_removed_elsewhere_while_it_is_kept_is_published_again_at_once(
    claim: int | None,
) -> None:
    topic = MemoryTopic()
    one = Process(topic, "one")
    one.keep("s1", "in_sync", NamedClaim("s1"))
    async with one.running():
        await eventually(lambda: "s1" in said(topic))
        message = encode_site_removed("fleet.sites", "s1", "z", claim or 0)
        put(topic, message if claim else msgspec.structs.replace(message, headers=()))
        assert said(topic) == {}
        await eventually(lambda: said(topic) == {"s1": ("one", "kept", "in_sync")})


async def test_a_known_home_without_a_file_at_its_owner_is_unconfigured() -> None:
    topic = MemoryTopic()
    one, two = Process(topic, "one"), Process(topic, "two")
    first, second = NamedClaim("s1"), NamedClaim("s1", "s3")
    one.keep("s1", "in_sync", first)
    one.has_files_of("s1")
    two.has_files_of("s2")
    async with one.running():
        await eventually(lambda: "s1" in said(topic))
        await one.exchange.release(first)
        one.homes.clear()
        one.held.clear()
    two.held.append(second)
    async with two.running():
        await eventually(lambda: said(topic) == {"s1": ("two", "unconfigured", "unknown")})
        assert [status.site for status in two.exchange.unconfigured] == ["s1"]
        two.has_files_of("s1", "s2")
        two.keep("s1", "in_sync", second)
        await eventually(lambda: said(topic) == {"s1": ("two", "kept", "in_sync")})
        await eventually(lambda: two.exchange.unconfigured == ())


async def test_trouble_is_reported_once_and_everything_is_published_again_after_it() -> None:
    topic = MemoryTopic()
    one = Process(topic, "one")
    one.end.error = ReplicaUnavailable("kafka", "Its disk is full.")
    one.keep("s1", "in_sync", NamedClaim("s1"))
    one.has_files_of("s1")
    async with one.running():
        await eventually(lambda: one.end.is_closed)
        for _ in range(20):
            await anyio.sleep(0.001)
        assert one.troubles == ["Its disk is full."]
        assert one.exchange.trouble == "Its disk is full."
        await one.exchange.release(NamedClaim("s1"))
        one.end.error = None
        await eventually(lambda: said(topic) == {"s1": ("one", "kept", "in_sync")})
        await eventually(lambda: one.exchange.trouble is None)


async def test_a_process_publishes_its_end() -> None:
    topic = MemoryTopic()
    one = Process(topic, "one")
    one.has_files_of("s1")
    async with one.running():
        await eventually(lambda: "one" in topic.known().workers)
    await one.exchange.leave()
    assert topic.known().workers == {}
    assert one.end.is_closed


async def test_a_process_that_is_gone_for_a_day_is_forgotten() -> None:
    topic = MemoryTopic()
    gone, one = Process(topic, "gone", NOON - 90_000), Process(topic, "one")
    async with gone.running():
        await eventually(lambda: "gone" in topic.known().workers)
    async with one.running():
        await eventually(lambda: set(topic.known().workers) == {"one"})


async def test_an_ownership_announces_the_homes_it_loses() -> None:
    topic = MemoryTopic()
    one = Process(topic, "one")
    claim = NamedClaim("s1")
    heard: list[str] = []

    class Inner:
        async def run(self, gained: ClaimListener, lost: ClaimListener) -> None:
            await gained(claim)
            one.keep("s1", "in_sync", claim)
            await eventually(lambda: "s1" in said(topic))
            one.homes.clear()
            await lost(claim)

    async def gained(_claim: Claim) -> None:
        heard.append("gained")

    async def lost(_claim: Claim) -> None:
        assert said(topic)["s1"][1] == "kept"
        heard.append("lost")

    async with one.running():
        await one.exchange.around(Inner()).run(gained, lost)
    assert heard == ["gained", "lost"]
    assert said(topic) == {"s1": ("one", "released", "unknown")}


async def test_a_file_with_an_invalid_home_name_is_not_published() -> None:
    topic = MemoryTopic()
    one = Process(topic, "one")
    broken = SiteFile(Path("My Home.toml"), "My Home", (1, 1, 1))
    one.exchange.take_files({"My Home": broken, "s1": broken})
    claim = NamedClaim("s1", "My Home")
    one.keep("My Home", "unknown", claim)
    one.keep("s1", "in_sync", claim)
    async with one.running():
        await eventually(lambda: "s1" in said(topic) and "one" in topic.known().workers)
    assert set(said(topic)) == {"s1"}
    assert topic.known().workers["one"].settings == {"s1": None}
    assert topic.known().strange == 0
