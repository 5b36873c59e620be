"""Messages of several owners, in any order: the latest owner's status counts."""

from itertools import permutations
from typing import Any

import msgspec

from engine.core.words import SyncStatus
from engine.replicas.kafka.messages import Message, TopicEntry
from engine.replicas.kafka.sites.known_sites import KnownSites
from engine.replicas.kafka.sites.site_status import (
    FRESH_MS,
    SiteStatus,
    WorkerStatus,
    encode_site,
    encode_site_removed,
    encode_worker,
    encode_worker_removed,
)

TOPIC = "homes.sites"
NOW_MS = 1_000_000


def home(owner: str, claim: int, **more: Any) -> SiteStatus:
    return SiteStatus(
        site="s1", owner=owner, claim=claim, stage="kept", status=SyncStatus.IN_SYNC, ts_ms=1, **more
    )


def fold(known: KnownSites, message: Message) -> str | None:
    return known.fold(TopicEntry(TOPIC, 0, message.key, message.value, dict(message.headers)), 0, NOW_MS)


def test_the_larger_claim_counts_in_every_order() -> None:
    messages = [encode_site(TOPIC, home(owner, claim)) for owner, claim in (("a", 1), ("b", 2), ("c", 2))]
    for order in permutations(messages):
        known = KnownSites(1)
        for message in order:
            fold(known, message)
        assert known.sites["s1"].owner == "c"
        assert known.rank_of("s1") == (2, "c")


def test_the_later_message_of_one_owner_counts() -> None:
    known = KnownSites(1)
    assert fold(known, encode_site(TOPIC, home("a", 1, pending=3))) == "s1"
    assert fold(known, encode_site(TOPIC, home("a", 1, pending=0))) == "s1"
    assert known.sites["s1"].pending == 0
    assert fold(known, encode_site(TOPIC, home("b", 0))) is None


def test_a_home_is_removed_by_its_latest_owner_only_and_may_come_back() -> None:
    known = KnownSites(1)
    fold(known, encode_site(TOPIC, home("b", 2)))
    assert fold(known, encode_site_removed(TOPIC, "s1", "a", 1)) is None
    assert "s1" in known.sites
    assert fold(known, encode_site_removed(TOPIC, "s1", "b", 2)) == "s1"
    assert known.sites == {}
    assert fold(known, encode_site(TOPIC, home("a", 1))) is None  # a message that was still in flight
    assert known.sites == {}
    assert fold(known, encode_site(TOPIC, home("b", 2))) == "s1"
    assert fold(known, Message(TOPIC, b'{"site":"s1"}', None, ())) == "s1"  # by hand


def test_a_process_comes_and_goes() -> None:
    known = KnownSites(1)
    worker = WorkerStatus(worker="a", state="active", ts_ms=1)
    fold(known, encode_worker(TOPIC, worker))
    assert known.workers == {"a": worker}
    fold(known, encode_worker_removed(TOPIC, "a"))
    assert known.workers == {}


def test_what_is_strange_is_counted_and_changes_nothing() -> None:
    known = KnownSites(1)
    fold(known, encode_site(TOPIC, home("a", 1)))
    assert fold(known, Message(TOPIC, b'{"site":"s1"}', b"rubbish", ())) is None
    assert fold(known, Message(TOPIC, b"hello", b"{}", ())) is None
    assert known.strange == 2
    assert "malformed" in str(known.first_strange)
    assert known.sites["s1"].owner == "a"


def test_a_claim_that_no_owner_could_exceed_hides_no_home() -> None:
    """Nor does a tombstone with one, nor either in a partition where compaction would keep it."""
    largest = 253_402_300_799_999
    known = KnownSites(1)
    fold(known, encode_site(TOPIC, home("a", 1)))
    assert fold(known, encode_site(TOPIC, home("z", largest))) is None
    assert fold(known, encode_site_removed(TOPIC, "s1", "z", largest)) is None
    stray = encode_site(TOPIC, home("z", 2))
    entry = TopicEntry(TOPIC, 0, stray.key, stray.value, dict(stray.headers))
    assert known.fold(entry, 1, NOW_MS) is None
    assert known.sites["s1"].owner == "a"
    assert known.rank_of("s1") == (1, "a")
    assert known.strange == 3


def test_a_silent_process_counts_as_gone_and_its_homes_as_unowned() -> None:
    known = KnownSites(1)
    for name in ("a", "b"):
        fold(known, encode_worker(TOPIC, WorkerStatus(worker=name, state="active", ts_ms=1)))
    assert known.unowned(["s1"], 0) == 1
    fold(known, encode_site(TOPIC, home("a", 1)))
    assert (known.heard(1), known.heard(FRESH_MS + 1), known.heard(FRESH_MS + 2)) == (2, 2, 0)
    assert (known.unowned(["s1"], 1), known.unowned([], FRESH_MS + 2)) == (0, 1)
    assert known.unowned(["s1", "s2"], 1) == 1
    fold(known, encode_site(TOPIC, msgspec.structs.replace(home("a", 2), stage="released")))
    assert known.unowned(["s1"], 1) == 1
