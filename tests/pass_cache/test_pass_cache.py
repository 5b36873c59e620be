"""What is written to a cache is read back from it, and nothing else is."""

from collections.abc import Sequence
from hashlib import blake2b
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Area, Key, Record
from engine.core.records.registries import REGISTRIES
from engine.pass_cache.contents import (
    BYTES_MAX,
    Cache,
    CacheDamaged,
    CachedReplica,
    CachedSource,
    ListMap,
    ListRows,
    open_cache,
    seal_cache,
)
from engine.pass_cache.learned import Learned, LearnedList, encode_learned
from engine.pass_cache.recalled import recall
from tests.homes import ENTRY, device, entity, snapshot
from tests.strategies import homes

KEY = b"k" * 32
STATE = CachedReplica("sqlite", "rows", "books")
HOME = snapshot(ENTRY, Area(area_id="attic", name="Attic"), device(1), device(2), entity(1), entity(2))


def learned(home: Snapshot) -> Learned:
    keys: dict[str, list[Key]] = {registry: [] for registry in REGISTRIES}
    for key in home.home.records:
        keys[key.registry].append(key)
    lists = tuple(
        LearnedList(ListMap(name, name, len(found)), found, b"f" * 16 * len(found))
        for name, found in keys.items()
    )
    return Learned(home, CachedSource(form="test", seed=1), lists)


def encode(home: Snapshot, before: Cache | None = None, states: Sequence[CachedReplica] = (STATE,)) -> bytes:
    pieces = encode_learned(learned(home), states, program="1", key=KEY, before=before)
    assert pieces is not None
    return b"".join(pieces)


def opened(data: bytes, key: bytes = KEY, program: str = "1") -> Cache | None:
    return open_cache(lambda at, size: data[at : at + size], key, program)


def reopened(data: bytes) -> Cache:
    cache = opened(data)
    assert cache is not None
    return cache


def check_equal(found: Snapshot, home: Snapshot) -> None:
    assert found.reading == home.reading
    assert found.home.records == home.home.records
    assert found.home.hashes == home.home.hashes
    assert found.home.derived == home.home.derived
    assert found.home.row_versions == home.home.row_versions
    assert found.home.counts == home.home.counts
    assert found.home.positions == home.home.positions
    assert found.home.entry_ids == home.home.entry_ids
    assert found.home.entities.per_device == home.home.entities.per_device
    for record in home.home.records.values():
        entity_id = getattr(record, "entity_id", "")
        assert found.home.entities.key_of(entity_id) == home.home.entities.key_of(entity_id)


@given(homes())
def test_a_snapshot_comes_back(records: list[Record]) -> None:
    home = snapshot(*records)
    check_equal(recall(reopened(encode(home))), home)


@pytest.mark.slow
@given(homes(), homes())
def test_a_snapshot_made_of_a_recalled_one_equals_a_new_one_and_comes_back(
    old: list[Record], new: list[Record]
) -> None:
    cache = reopened(encode(snapshot(*old)))
    home, before = snapshot(*new), recall(cache)
    gone = [key for key in before.home.records if key not in home.home.records]
    changed = [
        (r, content_hash(r)) for r in home.home.records.values() if before.home.records.get(r.key) != r
    ]
    later = before.with_changes(changed, gone, taken_at=home.reading.taken_at, positions=home.home.positions)
    check_equal(later.read_as(registries=home.reading.registries, origin=home.reading.origin), home)
    check_equal(recall(reopened(encode(later, cache))), later)


@pytest.mark.slow
@given(homes(), st.randoms(use_true_random=False))
def test_lists_in_any_order_survive_a_round_trip_with_and_without_an_earlier_cache(
    records: list[Record], random: Random
) -> None:
    home = snapshot(*records)
    cache = reopened(encode(home))
    kept = recall(cache)
    lists = [
        LearnedList(one.map, random.sample(one.keys, len(one.keys)), one.fingerprints)
        for one in learned(kept).lists
    ]
    mixed = Learned(kept, CachedSource(form="test", seed=1), tuple(lists))
    found = [encode_learned(mixed, (STATE,), program="1", key=KEY, before=before) for before in (None, cache)]
    assert found[0] is not None
    assert found[1] is not None
    assert b"".join(found[0]) == b"".join(found[1])
    check_equal(recall(reopened(b"".join(found[1]))), home)


def test_replicas_and_source_come_back() -> None:
    front = reopened(encode(HOME)).front
    assert front.replicas == (STATE,)
    assert front.source == CachedSource(form="test", seed=1)


@pytest.mark.parametrize(("key", "program"), [(b"x" * 32, "1"), (KEY, "2")])
def test_a_cache_of_another_file_or_program_is_none(key: bytes, program: str) -> None:
    assert opened(encode(HOME), key, program) is None


def test_a_cache_of_another_form_or_without_end_is_none() -> None:
    data = encode(HOME)
    assert opened(data.replace(b"ha-reconcile 0", b"ha-reconcile 1", 1)) is None
    assert opened(b"") is None
    assert opened(data[:30]) is None
    at = data.index(b"\n") + 1 + 32
    assert opened(data[:at] + (BYTES_MAX).to_bytes(4, "big") + data[at + 4 :]) is None


SEALED = encode(HOME)


def test_a_flipped_bit_is_seen_before_anything_is_believed() -> None:
    for at in range(len(SEALED)):
        check_sealed(SEALED[:at] + bytes([SEALED[at] ^ (1 << at % 8)]) + SEALED[at + 1 :])


def test_a_cache_that_is_cut_off_is_seen_before_anything_is_believed() -> None:
    for at in range(len(SEALED)):
        check_sealed(SEALED[:at])


def check_sealed(data: bytes) -> None:
    cache = opened(data)
    if cache is not None:
        with pytest.raises(CacheDamaged):
            cache.check()


def test_what_is_appended_changes_nothing() -> None:
    cache = reopened(encode(HOME) + b"more")
    cache.check()
    check_equal(recall(cache), HOME)


def test_a_home_with_odd_rows_is_not_kept() -> None:
    twice = snapshot(ENTRY, entity(1), entity(1))
    assert twice.home.set_aside
    assert encode_learned(learned(twice), (), program="1", key=KEY, before=None) is None


def test_lists_that_are_not_the_snapshot_are_not_kept() -> None:
    other = Learned(snapshot(ENTRY), CachedSource(form="test", seed=1), learned(HOME).lists)
    assert encode_learned(other, (), program="1", key=KEY, before=None) is None


def test_unknown_keys_survive_a_round_trip_even_if_named_like_a_field() -> None:
    for extra in (
        {"name": "Not the name"},
        {"unheard_of": [1, {"a": None}], "line": "one\ntwo\r\u2028three"},
    ):
        home = snapshot(ENTRY, entity(1, extra=extra), entity(2, name="a\nb\r\x0b\x85c"))
        check_equal(recall(reopened(encode(home))), home)


def sealed(records: list[bytes], lengths: list[int]) -> Cache:
    front = reopened(SEALED).front
    listed = ListMap("area", "area", len(lengths))
    rows = ListRows(b"", ["attic"] * len(lengths), ["1:x"] * len(lengths), lengths)
    pieces = seal_cache(msgspec.structs.replace(front, lists=(listed,)), [rows], records, KEY)
    return reopened(b"".join(pieces))


def test_a_packed_cache_says_the_same() -> None:
    cache = reopened(SEALED)
    cache.pack()
    check_equal(recall(cache), HOME)
    assert [cache.hashes[nth] for nth in range(cache.count)] == cache.hashes[:]
    again = encode_learned(learned(HOME), (), program="1", key=KEY, before=cache)
    assert again is not None
    check_equal(recall(reopened(b"".join(again))), HOME)


def test_a_cache_of_ours_that_contradicts_itself_is_damaged() -> None:
    with pytest.raises(CacheDamaged):
        sealed([b"{}"], [999]).check()
    odd = sealed([b"no json"], [7])
    odd.check()
    with pytest.raises(CacheDamaged):
        odd.record(0)


def test_a_record_that_is_not_the_one_of_its_hash_is_damaged() -> None:
    area = Area(area_id="attic", name="Attic")
    version, encoded = content_hash(area), b'{"area_id":"attic","name":"Attic"}'
    front = reopened(encode(HOME)).front
    listed, rows = ListMap("area", "area", 1), ListRows(b"", ["attic"], [version], [len(encoded)])
    for record, is_true in ((encoded, True), (encoded.replace(b"Attic", b"Cella"), False)):
        pieces = seal_cache(msgspec.structs.replace(front, lists=(listed,)), [rows], [record], KEY)
        cache = reopened(b"".join(pieces))
        if is_true:
            assert cache.record(0) == area
        else:
            with pytest.raises(CacheDamaged):
                cache.record(0)


def test_a_front_of_another_shape_is_none() -> None:
    mark = SEALED[: SEALED.index(b"\n") + 1]
    front = msgspec.msgpack.encode({"program": "1"})
    seal = blake2b(front, digest_size=32, key=KEY).digest()
    assert opened(mark + seal + len(front).to_bytes(4, "big") + front) is None


def test_what_did_not_change_is_taken_over_undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = reopened(encode(HOME))
    before = recall(cache)
    later = before.with_changes(
        [(entity(2, icon="mdi:x"), content_hash(entity(2, icon="mdi:x")))], (), taken_at=1.0
    )
    assert dict(later.home.row_versions.items())  # as comparing does, which lays all changes into one
    decoded: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(Cache, "record", lambda _cache, at: decoded.append(at))
        again = encode_learned(learned(later), (), program="1", key=KEY, before=cache)
    assert again is not None
    assert decoded == []
    check_equal(recall(reopened(b"".join(again))), later)
