"""The meaning of messages to the view, from any writer."""

import json

import pytest

from engine.fleet_view.messages import TEXT_MAX, DeviceFacts, DeviceSaid, Oddity, read_device, read_site
from engine.replicas.kafka.messages import PlacedEntry
from engine.replicas.kafka.sites.site_status import (
    Removed,
    WorkerStatus,
    encode_worker,
    encode_worker_removed,
)
from tests.fleet_view.viewed import (
    DEVICES,
    PARTITIONS,
    SITES,
    gone_device,
    raw,
    removed_site,
    said_device,
    said_site,
)
from tests.homes import NOON

KEY = b'{"site":"a","registry":"device","id":"d1"}'


def read(key: bytes | None, value: bytes | None, **headers: bytes) -> DeviceSaid | Oddity:
    return read_device(raw(DEVICES, key, value, "a", headers), PARTITIONS)


def test_a_device_follows_its_newest_message() -> None:
    said = read_device(said_device("a", "d1", "Lamp", name_by_user="Desk", serial_number="X1"), PARTITIONS)
    assert said == DeviceSaid("a", "d1", DeviceFacts("Desk", "Signify", "Hue", "", "1.2", "", "X1"))
    assert read_device(gone_device("a", "d1"), PARTITIONS) == DeviceSaid("a", "d1", None)
    assert read(KEY, b'{"before":{"id":"d1"},"after":null,"op":"d"}') == DeviceSaid("a", "d1", None)


@pytest.mark.parametrize(
    "key",
    [
        None,
        b"",
        b"\xff",
        b'{"site":"a"}',
        b'{"site":"a","registry":"entity","id":"d1"}',
        b'{"registry":"device","site":"a","id":"d1"}',
        b'{"site":"a", "registry":"device","id":"d1"}',
        b'{"site":"A","registry":"device","id":"d1"}',
        b'{"site":"","registry":"device","id":"d1"}',
        b'{"site":"a\\n","registry":"device","id":"d1"}',
        b'{"site":"a","registry":"device","id":"%b"}' % (b"x" * (TEXT_MAX + 1)),
        b"[" * 100_000,
    ],
)
def test_keys_that_no_owner_writes_are_foreign(key: bytes | None) -> None:
    assert read(key, b'{"after":{"id":"d1"}}') is Oddity.FOREIGN


def test_a_home_stands_in_one_partition_only() -> None:
    entry = said_device("a", "d1")
    elsewhere = PlacedEntry(entry.topic, 0, entry.key, entry.value, {}, (entry.partition + 1) % PARTITIONS)
    assert read_device(elsewhere, PARTITIONS) is Oddity.FOREIGN
    of_site = said_site("a")
    elsewhere = PlacedEntry(SITES, 0, of_site.key, of_site.value, {}, (of_site.partition + 1) % PARTITIONS)
    assert read_site(elsewhere, PARTITIONS, NOON) is Oddity.FOREIGN


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"after":[]}',
        b'{"after":{}}',
        b'{"after":{"id":"d2"}}',
        b'{"after":{"id":"d1","name":7}}',
        b'{"after":{"id":"d1","name":"\\ud800"}}',
        b'{"after":{"id":"d1","name":"\xff"}}',
        b'{"after":' + b"[" * 100_000,
    ],
)
def test_a_value_that_is_none_leaves_the_device_unknown(value: bytes) -> None:
    assert read(KEY, value) == DeviceSaid("a", "d1", None, Oddity.UNREADABLE)


def test_what_a_newer_program_wrote_is_not_known() -> None:
    value = b'{"after":{"id":"d1"}}'
    assert read(KEY, value, schema=b"2") == DeviceSaid("a", "d1", None, Oddity.NEWER)
    assert read(KEY, value, schema=b"9" * 1000) == DeviceSaid("a", "d1", None, Oddity.NEWER)
    for schema in (b"1", b"", b"\xff", b"-3", b"two"):
        found = read(KEY, value, schema=schema)
        assert isinstance(found, DeviceSaid)
        assert found.facts is not None


def test_long_texts_are_cut_and_hostile_ones_kept() -> None:
    hostile = "<script>\x00\u202e'; DROP TABLE device;"
    value = json.dumps({"after": {"id": "d1", "name": hostile, "model": "m" * 1_000_000}}).encode()
    found = read(KEY, value)
    assert isinstance(found, DeviceSaid)
    assert found.facts is not None
    assert (found.facts.name, found.facts.model) == (hostile, "m" * TEXT_MAX)


def test_a_claim_or_a_time_that_no_clock_can_have_said_yet_is_foreign() -> None:
    largest = 253_402_300_799_999
    assert read_site(said_site("a", claim=largest), PARTITIONS, NOON) is Oddity.FOREIGN
    assert read_site(said_site("a", at=largest / 1000), PARTITIONS, NOON) is Oddity.FOREIGN
    assert read_site(removed_site("a", claim=largest), PARTITIONS, NOON) is Oddity.FOREIGN


def test_messages_about_homes_and_about_processes_are_distinguished() -> None:
    said = read_site(said_site("a", "blocked"), PARTITIONS, NOON)
    assert getattr(said, "status", None) == "blocked"
    assert read_site(removed_site("a", claim=4), PARTITIONS, NOON) == Removed(site="a", claim=4)
    worker = encode_worker(SITES, WorkerStatus(worker="w", state="active", ts_ms=round(NOON * 1000)))
    gone = encode_worker_removed(SITES, "w")
    for message in (worker, gone):
        assert read_site(raw(SITES, message.key, message.value, "w"), PARTITIONS, NOON) is None
    assert read_site(raw(SITES, b'{"site":"a"}', b"{}", "a"), PARTITIONS, NOON) is Oddity.FOREIGN
    assert (
        read_site(raw(SITES, b'{"site":"a"}', b"{}", "a", {"schema": b"7"}), PARTITIONS, NOON) is Oddity.NEWER
    )
