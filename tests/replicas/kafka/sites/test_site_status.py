"""Messages about homes and processes: decoding what was encoded, and reasons for rejecting other messages."""

import json
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from engine.core.words import SyncStatus
from engine.replicas.kafka.messages import Message, TopicEntry
from engine.replicas.kafka.sites.site_status import (
    AHEAD_MS,
    FRESH_MS,
    ReadingPlace,
    Removed,
    SiteStatus,
    StrangeMessage,
    WorkerStatus,
    decode_message,
    encode_site,
    encode_site_removed,
    encode_worker,
    encode_worker_removed,
)
from engine.replicas.kafka.topics import partition_of

TOPIC = "homes.sites"
NOW_MS = 1_000_000
HERE = ReadingPlace(0, 1, NOW_MS)
HOME = SiteStatus(
    site="s1",
    owner="host-1",
    claim=7,
    stage="kept",
    status=SyncStatus.IN_SYNC,
    ts_ms=1_000_000,
    label="Mill Street 4",
    tags=("west", "rented"),
    url="https://worker1:8443/reconcile",
    since_ms=900_000,
    connected=True,
    records={"entity": 164, "device": 12},
    drift_records=0,
    synced_ms=999_000,
    ha_version="2026.11.0",
)
WORKER = WorkerStatus(
    worker="host-1", state="drained", ts_ms=1, url="http://[::1]:8129", settings={"s1": "ab", "s2": None}
)
# From 3.14 on, how deep a decoder goes is bounded by the stack's size and not by a number.
TOO_DEEP = "recursion" if sys.version_info < (3, 14) else "truncated"


def stored(message: Message) -> TopicEntry:
    return TopicEntry(message.topic, 3, message.key, message.value, dict(message.headers))


def with_value(**changed: Any) -> TopicEntry:
    value = json.loads(encode_site(TOPIC, HOME).value or b"") | changed
    return TopicEntry(TOPIC, 3, b'{"site":"s1"}', json.dumps(value).encode())


def test_a_written_status_is_read_back() -> None:
    message = encode_site(TOPIC, HOME)
    assert message.key == b'{"site":"s1"}'
    assert dict(message.headers) == {"schema": b"1", "owner": b"host-1", "claim": b"7"}
    assert decode_message(stored(message), HERE) == HOME
    assert decode_message(stored(encode_worker(TOPIC, WORKER)), HERE) == WORKER
    assert encode_worker(TOPIC, WORKER).key == b'{"worker":"host-1"}'


def test_a_tombstone_removes_a_home_or_a_process() -> None:
    gone = decode_message(stored(encode_site_removed(TOPIC, "s1", "host-1", 7)), HERE)
    assert gone == Removed(site="s1", claim=7)
    assert decode_message(stored(encode_worker_removed(TOPIC, "host-1")), HERE) == Removed(worker="host-1")
    assert decode_message(TopicEntry(TOPIC, 0, b'{"site":"s1"}', None), HERE) == Removed(site="s1")


def test_fields_of_a_newer_release_are_ignored() -> None:
    assert decode_message(with_value(firmware="1.2", records={"entity": 164, "device": 12}), HERE) == HOME


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (None, "it has no key"),
        (b"", "not of the form"),
        (b"s1", "not of the form"),
        (b"\xff", "not of the form"),
        (b'{"site":"S 1"}', "not of the form"),
        (b'{"site":"s1\\n"}', "not of the form"),
        (b'{"site":"s1","registry":"entity","id":"1"}', "unknown field `registry`"),
        (b'{"site": "s1"}', "spelled differently"),
        (b'{"site":"\\u0073\\u0031"}', "spelled differently"),
        (b'{"worker":""}', "not of the form"),
        (b'{"worker": "host-1"}', "spelled differently"),
        (b'{"site":' * 5000, "not of the form"),
    ],
)
def test_a_key_of_another_spelling_is_named(key: bytes | None, why: str) -> None:
    value = encode_site(TOPIC, HOME).value
    for content in (value, None):
        with pytest.raises(StrangeMessage) as caught:
            decode_message(TopicEntry(TOPIC, 3, key, content), ReadingPlace(11, 12, NOW_MS))
        assert why in str(caught.value) or why == "not of the form"
        assert "offset 3 in partition 11 of homes.sites" in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (TopicEntry(TOPIC, 3, b'{"site":"s1"}', b"rubbish"), "malformed"),
        (TopicEntry(TOPIC, 3, b'{"site":"s1"}', b""), "truncated"),
        (TopicEntry(TOPIC, 3, b'{"site":"s1"}', b"[]"), "Expected `object`"),
        (TopicEntry(TOPIC, 3, b'{"site":"s1"}', b'{"more":' + b"[" * 100_000), TOO_DEEP),
        (TopicEntry(TOPIC, 3, b'{"site":"s1"}', b"{}"), "missing required field `site`"),
        (with_value(site="s2"), "about s2, and its key about s1"),
        (with_value(status="fine"), "$.status"),
        (with_value(stage="gone"), "$.stage"),
        (with_value(claim="7"), "$.claim"),
        (with_value(claim=-1), "$.claim"),
        (with_value(ts_ms=1e300), "$.ts_ms"),
        (with_value(pending=-1), "$.pending"),
        (with_value(pending=2**53), "$.pending"),
        (with_value(drift_records=2**63), "$.drift_records"),
        (with_value(records={"entity": 2**64}), "$.records"),
        (with_value(records={"entity": "many"}), "$.records"),
        (with_value(tags="west"), "$.tags"),
        (with_value(url="javascript:alert(1)"), "$.url"),
    ],
)
def test_a_value_that_is_not_ours_names_its_field(entry: TopicEntry, why: str) -> None:
    with pytest.raises(StrangeMessage, match=r".") as caught:
        decode_message(entry, HERE)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host",
        "//host",
        "http:host",
        "http://",
        "http://user:pass@host",
        "http://host/?next=x",
        "http://host/#x",
        "http://host\\@other",
        "http://host/ x",
        "http://host\r\nset-cookie: x",
        "http://host/\n",
        "HTTP://host",
    ],
)
def test_only_an_address_of_an_api_is_taken_for_one(url: str) -> None:
    with pytest.raises(StrangeMessage, match=r"url"):
        decode_message(with_value(url=url), HERE)


def test_what_a_newer_schema_wrote_is_not_guessed_at() -> None:
    entry = msgspec.structs.replace(stored(encode_site(TOPIC, HOME)), headers={"schema": b"2"})
    with pytest.raises(StrangeMessage, match="update it"):
        decode_message(entry, HERE)


@pytest.mark.parametrize("schema", [b"", b"one", b"\xff", b"1", b"\xd9\xa1"])
def test_a_header_that_is_no_number_says_nothing(schema: bytes) -> None:
    entry = msgspec.structs.replace(stored(encode_site(TOPIC, HOME)), headers={"schema": schema})
    assert decode_message(entry, HERE) == HOME


@pytest.mark.parametrize("at", [NOW_MS + AHEAD_MS + 1, 253_402_300_799_999])
@pytest.mark.parametrize(
    ("message", "what"),
    [
        (lambda at: encode_site(TOPIC, msgspec.structs.replace(HOME, claim=at)), "claim"),
        (lambda at: encode_site(TOPIC, msgspec.structs.replace(HOME, ts_ms=at)), "time"),
        (lambda at: encode_site_removed(TOPIC, "s1", "host-1", at), "claim"),
        (lambda at: encode_worker(TOPIC, msgspec.structs.replace(WORKER, ts_ms=at)), "time"),
    ],
    ids=["claim", "time", "tombstone", "process"],
)
def test_an_impossible_future_time_is_named(message: Callable[[int], Message], what: str, at: int) -> None:
    with pytest.raises(StrangeMessage, match=f"its {what}, .*, is more than a day ahead") as caught:
        decode_message(stored(message(at)), HERE)
    assert "this machine's clock, 1970-01-01T00:16:40.000Z" in str(caught.value)
    decode_message(stored(message(NOW_MS + AHEAD_MS)), HERE)  # a clock may be ahead


@pytest.mark.parametrize(
    "message",
    [
        encode_site(TOPIC, HOME),
        encode_site_removed(TOPIC, "s1", "host-1", 7),
        encode_worker(TOPIC, WORKER),
        encode_worker_removed(TOPIC, "host-1"),
    ],
)
def test_a_message_in_another_partition_is_named(message: Message) -> None:
    name = json.loads(message.key).popitem()[1]
    place = partition_of(name, 4)
    decode_message(stored(message), ReadingPlace(place, 4, NOW_MS))
    with pytest.raises(StrangeMessage, match=f"messages about {name} belong in partition {place}"):
        decode_message(stored(message), ReadingPlace((place + 1) % 4, 4, NOW_MS))


def test_a_status_counts_for_two_heartbeats_and_only_from_an_owner() -> None:
    assert HOME.word_at(HOME.ts_ms) == "in_sync"
    assert HOME.word_at(HOME.ts_ms + FRESH_MS, {"host-1"}) == "in_sync"
    assert HOME.word_at(HOME.ts_ms + FRESH_MS + 1) == "unknown"
    assert HOME.word_at(HOME.ts_ms - FRESH_MS - 1) == "unknown"  # a wrong clock
    assert HOME.word_at(HOME.ts_ms, {"host-2"}) == "unknown"
    released = msgspec.structs.replace(HOME, stage="released")
    assert released.word_at(HOME.ts_ms) == "unknown"
    assert not released.is_owned
