"""Rows of scans as versions: the newest wins, and an altered one is reported."""

import pytest

from engine.core.records.content_hash import content_hash
from engine.core.records.record import Key
from engine.core.records.record_json import encode_record
from engine.errors import ReplicaRejected
from engine.replicas.influx.reading import (
    Holding,
    holding_of,
    needs_payloads,
    newest_rows,
    version_of_payload,
)
from engine.replicas.influx.wires.wire import Block
from tests.homes import device

ONE = device(1)
HASH = content_hash(ONE)
PAYLOAD = encode_record(ONE).decode()


def test_the_newest_row_of_every_key_is_found_in_any_order() -> None:
    blocks = [
        Block("ha_device", [[5, "a", "new"], [3, "b", "b"]]),
        Block("ha_entity", [[1, "a", "other registry"]]),
        Block("ha_device", [[4, "a", "old"], [9, None, "nobody's"], [9, "", "nobody's"]]),
    ]
    assert newest_rows(blocks) == {
        Key("device", "a"): [5, "a", "new"],
        Key("device", "b"): [3, "b", "b"],
        Key("entity", "a"): [1, "a", "other registry"],
    }


def test_tombstones_are_no_records() -> None:
    held = holding_of({ONE.key: [5, ONE.id, "-"], Key("area", "a"): [6, "a", "1:x"]}, is_verified=False)
    assert (held.versions, held.times) == ({Key("area", "a"): "1:x"}, {Key("area", "a"): 6})


def test_a_verifying_look_hashes_payloads() -> None:
    rows: dict[Key, list[object]] = {ONE.key: [5, ONE.id, HASH, 1, PAYLOAD]}
    assert holding_of(rows, is_verified=True).versions == {ONE.key: HASH}


@pytest.mark.parametrize(
    ("hash_", "payload"),
    [
        (HASH, "{}"),
        (HASH, None),
        (HASH, "no json"),
        (HASH, encode_record(device(2)).decode()),
        (HASH, PAYLOAD.replace("Device 1", "altered")),
        ("1:00", PAYLOAD),
        (None, PAYLOAD),
        ("junk", PAYLOAD),
    ],
)
def test_a_point_whose_payload_contradicts_its_hash_equals_no_version(
    hash_: str | None, payload: str | None
) -> None:
    version = version_of_payload(ONE.key, hash_, payload)
    assert version not in (HASH, hash_)
    assert needs_payloads([version]) == version.startswith("?")


def test_a_hash_of_an_earlier_version_is_computed_again() -> None:
    assert version_of_payload(ONE.key, "0:abc", PAYLOAD) == HASH
    assert needs_payloads(["0:abc"])
    assert not needs_payloads([HASH])


def test_a_point_of_a_newer_program_is_refused() -> None:
    with pytest.raises(ReplicaRejected, match=r"schema 2, and this program knows 1.*Update this program"):
        holding_of({ONE.key: [5, ONE.id, HASH, 2, PAYLOAD]}, is_verified=True)


def test_a_holding_follows_writes_and_deletes() -> None:
    held = Holding()
    held.put(ONE.key, HASH, 5)
    assert (held.versions, held.times) == ({ONE.key: HASH}, {ONE.key: 5})
    held.put(ONE.key, "-", 6)
    assert (held.versions, held.times) == ({}, {})
