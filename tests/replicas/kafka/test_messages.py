"""Keys and values as they are decoded: ours, and those of other programs."""

import json

import pytest

from engine.core.records.content_hash import content_hash
from engine.core.records.record import Key, Record
from engine.core.records.record_json import canonical_fields
from engine.errors import ReplicaRejected
from engine.replicas.kafka.messages import (
    TopicEntry,
    decode_key,
    encode_key,
    fields_in,
    site_prefix,
    version_in,
)
from engine.replicas.kafka.topics import TopicNames
from tests.homes import entity

NAMES = TopicNames("homes")


def entry(record: Record, value: bytes | None, headers: dict[str, bytes] | None = None) -> TopicEntry:
    return TopicEntry(NAMES.of(record.REGISTRY), 0, encode_key("s1", record.key), value, headers or {})


def test_a_key_has_one_spelling_in_a_fixed_order() -> None:
    key = Key("entity", 'é"x')
    assert encode_key("s1", key) == b'{"site":"s1","registry":"entity","id":"\xc3\xa9\\"x"}'
    assert encode_key("s1", key).startswith(site_prefix("s1"))
    assert not encode_key("s11", key).startswith(site_prefix("s1"))
    assert decode_key(encode_key("s1", key), "entity") == ("s1", key)


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"rubbish",
        b"\xff",
        b"[]",
        b'{"site":"s1","registry":"entity"}',
        b'{"site": "s1", "registry": "entity", "id": "1"}',
        b'{"registry":"entity","site":"s1","id":"1"}',
        b'{"site":"s1","registry":"entity","id":"1","more":1}',
        b'{"site":"s1","registry":"device","id":"1"}',
        b'{"site":"s1","registry":"entity","id":1}',
    ],
)
def test_a_key_in_another_spelling_or_topic_is_not_ours(data: bytes | None) -> None:
    assert decode_key(data, "entity") is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"rubbish",
        b"\xff\xfe",
        b"[]",
        b'{"after":[]}',
        b'{"after":{"id":"another","entity_id":"a.b","unique_id":"u","platform":"p"}}',
        b'{"after":{"entity_id":"a.b"}}',
        b'{"after":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_a_value_that_holds_no_such_record_is_a_version_of_its_own(value: bytes) -> None:
    found = entry(entity(1), value)
    version = version_in(found, entity(1).key)
    assert version is not None
    assert version.startswith("?:")
    assert fields_in(found, entity(1).key) is not None


@pytest.mark.parametrize("value", [None, b'{"op":"d","after":null}', b"{}"])
def test_a_record_without_an_after_has_ended(value: bytes | None) -> None:
    assert version_in(entry(entity(1), value), entity(1).key) is None
    assert fields_in(entry(entity(1), value), entity(1).key) is None


def test_a_header_is_never_believed() -> None:
    value = json.dumps({"after": canonical_fields(entity(1, name="forged"))}).encode()
    found = entry(entity(1), value, {"hash": content_hash(entity(1)).encode(), "schema": b"x"})
    assert version_in(found, entity(1).key) == content_hash(entity(1, name="forged"))


def test_a_newer_schema_is_refused() -> None:
    for reader in (version_in, fields_in):
        with pytest.raises(ReplicaRejected, match=r"2, and this program knows 1"):
            reader(entry(entity(1), b"{}", {"schema": b"2"}), entity(1).key)
