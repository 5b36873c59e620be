"""Events: the envelope that a consumer of Debezium's expects, for every operation of a plan."""

import json
from typing import Any

import msgspec
import pytest

from engine.core.compare.diff import compare
from engine.core.compare.plan import Operation, make_plan
from engine.core.compare.stored import StoredRow
from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import content_hash
from engine.core.records.record_json import canonical_fields, make_record
from engine.ports import Run
from engine.replicas.kafka.events import Sent, Writer, events_of, full_fields
from engine.replicas.kafka.messages import TopicEntry, fields_in, version_in
from engine.replicas.kafka.topics import TopicNames
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import captured_records

WRITER = Writer("s1", TopicNames("homes"), "me@1")
RUN = Run("run-1", NOON, "test", "2026.11.0", read_at=NOON - 1)


def operations(before: Snapshot, after: Snapshot) -> tuple[Operation, ...]:
    rows = {key: StoredRow(key, canonical_fields(record)) for key, record in before.home.records.items()}
    diff = compare(after.home.hashes, before.home.hashes, before.home.hashes, after.reading.registries)
    return make_plan("kafka", diff, after, rows, with_derived=False, prune_foreign=False).operations


def sent(before: Snapshot, after: Snapshot, *, is_filling: bool = False) -> list[Sent]:
    return list(events_of(operations(before, after), RUN, WRITER, is_filling=is_filling))


def test_an_event_is_debeziums_envelope() -> None:
    before = snapshot(ENTRY, device(1, name="Old"))
    [event] = sent(before, snapshot(ENTRY, device(1, name="New", sw_version="2.0")))
    [message] = event.messages
    value = json.loads(message.value or b"")
    assert list(value) == ["before", "after", "op", "ts_ms", "source"]
    assert value["before"]["name"] == "Old"
    assert (
        value["after"] | {"name": "New", "sw_version": "2.0", "area_id": None, "labels": []} == value["after"]
    )
    assert value["op"] == "u"
    assert value["ts_ms"] == NOON * 1000
    version = value["source"].pop("version")
    assert version
    assert value["source"] == {
        "connector": "homeassistant",
        "name": "s1",
        "db": "s1",
        "table": "device",
        "ts_ms": (NOON - 1) * 1000,
        "snapshot": "false",
        "run_id": "run-1",
        "ha_version": "2026.11.0",
        "hash": event.version,
        "cause": "pending",
    }
    assert dict(message.headers) == {
        "schema": b"1",
        "hash": str(event.version).encode(),
        "owner": b"me@1",
    }
    assert message.topic == "homes.device"
    assert event.event.topic == "homes.changes"
    assert (event.event.key, event.event.value) == (message.key, message.value)


def test_what_fills_an_empty_store_is_read_and_not_changed() -> None:
    values = [json.loads(s.event.value or b"") for s in sent(snapshot(), snapshot(ENTRY), is_filling=True)]
    assert [(v["op"], v["before"], v["source"]["snapshot"]) for v in values] == [("r", None, "true")]


def test_a_delete_is_followed_by_a_tombstone_except_in_the_feed() -> None:
    [event] = sent(snapshot(ENTRY, device(1)), snapshot(ENTRY))
    reported, tombstone = event.messages
    value: dict[str, Any] = json.loads(reported.value or b"")
    assert (value["op"], value["after"], value["before"]["id"]) == ("d", None, device(1).id)
    assert value["source"]["hash"] == "-"
    assert (tombstone.key, tombstone.value) == (reported.key, None)
    assert event.event.value == reported.value
    assert event.version is None


def test_a_changed_id_ends_one_record_and_begins_another() -> None:
    before = snapshot(ENTRY, device(1))
    split = snapshot(ENTRY, device(2), device(3), splits={device(1).id: (device(2).id, device(3).id)})
    reported = [(s.key.id, json.loads(s.event.value or b"")["op"]) for s in sent(before, split)]
    assert reported == [(device(1).id, "d"), (device(2).id, "c"), (device(3).id, "c")]


def test_the_old_value_is_reported_even_if_it_is_not_a_record() -> None:
    [operation] = operations(snapshot(entity(1, name="a")), snapshot(entity(1, name="b")))
    odd = msgspec.structs.replace(operation, before=StoredRow(entity(1).key, {"payload": "rubbish"}))
    [event] = events_of([odd], RUN, WRITER, is_filling=False)
    assert json.loads(event.event.value or b"")["before"] == {"payload": "rubbish"}


@pytest.mark.parametrize("version", ["2024.3.3", "2026.11.0"])
def test_every_record_of_a_real_home_comes_back_from_its_event(version: str) -> None:
    records = captured_records(version)
    home = snapshot(*records)
    for event in sent(snapshot(), home, is_filling=True):
        [message] = event.messages
        found = TopicEntry(message.topic, 0, message.key, message.value, dict(message.headers))
        assert version_in(found, event.key) == event.version == content_hash(home.home.records[event.key])
        assert fields_in(found, event.key) == canonical_fields(home.home.records[event.key])


def test_an_event_has_every_field_and_unmodelled_ones_under_their_own_names() -> None:
    record = make_record("area", {"area_id": "a", "name": "A", "new_in_2027": [1]})
    assert full_fields(record) == {
        "area_id": "a",
        "name": "A",
        "floor_id": None,
        "aliases": (),
        "labels": (),
        "icon": None,
        "picture": None,
        "humidity_entity_id": None,
        "temperature_entity_id": None,
        "created_at": None,
        "modified_at": None,
        "new_in_2027": [1],
    }
