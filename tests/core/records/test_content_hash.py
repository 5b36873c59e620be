"""The content hash: golden vectors, and the changes that must and must not alter it."""

import random

import msgspec
import pytest
from hypothesis import given

from engine.core.records.content_hash import HASH_VERSION, content_hash, row_digest, seed_of
from engine.core.records.record import RECORD_TYPES, Area, ConfigEntry, Device, Entity, Floor, Record
from engine.core.records.record_json import canonical_fields, encode_hashed, encode_record, make_record
from tests.homes import device, entity
from tests.strategies import homes

encode = msgspec.json.Encoder(order="sorted").encode
# Written down once. If one of these changes, every mirrored home sees a re-hash: raise HASH_VERSION.
GOLDEN = [
    (Device(id="d" * 32), "1:355e42a4267faf9b494e5565ce8d842b"),
    (
        Device(id="d" * 32, name="Küche", labels=("b", "a"), identifiers=(("hue", "1"), ("zha", 2))),
        "1:f5f4a38bc116ec403c0a53a9f26e7ddd",
    ),
    (
        Entity(id="e" * 32, entity_id="light.l", unique_id="u", platform="hue"),
        "1:91efdf86ef75b160165ef9edaf265570",
    ),
    (
        Entity(
            id="e" * 32,
            entity_id="light.l",
            unique_id="u",
            platform="hue",
            options={"z": 1, "a": {"y": 1.5, "b": [None, True]}},
            aliases=("one", None),
        ),
        "1:d33bcfb7f5d7a28f14dde06e6b6569a5",
    ),
    (Floor(floor_id="g", name="Ground", level=0), "1:529d28d2a28f3128d0534ff229e529fc"),
    (Area(area_id="a", name="A", extra={"new": ["x"]}), "1:e966d78403eb0aa264e5bc6bfe98b628"),
    (ConfigEntry(entry_id="c", domain="hue", disabled_by="user"), "1:89e30648d6cb09b755c122716a38f0e1"),
]


@pytest.mark.parametrize(("record", "expected"), GOLDEN)
def test_golden_vectors(record: Record, expected: str) -> None:
    assert content_hash(record) == expected
    assert expected.startswith(f"{HASH_VERSION}:")


@given(homes())
def test_key_order_and_set_order_do_not_matter(home: list[Record]) -> None:
    shuffler = random.Random(1)
    for record in home:
        row = msgspec.to_builtins(record)
        row.pop("(extra)", None)
        row.update(record.extra)
        items = list(row.items())
        shuffler.shuffle(items)
        shuffled = {k: list(reversed(v)) if k in record.SETS else v for k, v in items}
        assert content_hash(make_record(record.REGISTRY, shuffled)) == content_hash(record)


@given(homes())
def test_what_is_hashed_is_the_canonical_form(home: list[Record]) -> None:
    for record in home:
        fields = canonical_fields(record)
        assert encode_record(record) == encode(fields)
        counted = {name: value for name, value in fields.items() if name not in record.UNHASHED}
        assert encode_hashed(record) == encode([record.REGISTRY, counted])


@pytest.mark.parametrize("type_", RECORD_TYPES.values())
def test_a_field_with_its_default_hashes_like_an_absent_one(type_: type[Record]) -> None:
    needed = {name: "x" for name in type_.__struct_fields__ if name in _required(type_)}
    given = {
        field.encode_name: msgspec.json.decode(encode(field.default))
        for field in msgspec.structs.fields(type_)
        if field.default is not msgspec.NODEFAULT
    }
    plain, explicit = make_record(type_.REGISTRY, needed), make_record(type_.REGISTRY, {**given, **needed})
    assert encode_record(explicit) == encode_record(plain)
    assert content_hash(explicit) == content_hash(plain)


def _required(type_: type[Record]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(type_) if field.required}


def test_every_hashed_field_counts() -> None:
    plain = {"device": device(1), "entity": entity(1)}
    for registry, record in plain.items():
        for field in msgspec.structs.fields(RECORD_TYPES[registry]):
            if field.name in record.UNHASHED or field.name == "extra":
                continue
            other = (
                {"x": "y"} if "dict" in str(field.type) else ("x",) if "tuple" in str(field.type) else "other"
            )
            changed = msgspec.structs.replace(record, **{field.name: other})
            assert content_hash(changed) != content_hash(record), field.name


def test_fields_that_move_by_themselves_do_not_count() -> None:
    record = entity(1)
    moved = msgspec.structs.replace(
        record,
        created_at=1.0,
        modified_at=2.0,
        has_entity_name=True,
        compat_name="Old name",
        unit_of_measurement="W",
        supported_features=3,
        next_name_part="device",
    )
    assert content_hash(moved) == content_hash(record)


def test_an_unknown_key_is_hashed_under_its_own_name() -> None:
    # So its hash stays the same on the day the key becomes a modelled field.
    record = make_record("area", {"area_id": "a", "name": "A", "climate": "wet"})
    assert canonical_fields(record) == {"area_id": "a", "name": "A", "climate": "wet"}
    assert content_hash(record) != content_hash(make_record("area", {"area_id": "a", "name": "A"}))


def test_registries_do_not_collide() -> None:
    assert content_hash(Area(area_id="x", name="n")) != content_hash(Floor(floor_id="x", name="n"))


def test_a_row_digest_depends_on_values_and_their_order() -> None:
    digests = {row_digest(v) for v in ([1, "a", None], ["a", 1, None], ["1", "a", None], [1, "a", ""])}
    assert len(digests) == 4


def test_digests_and_seeds_match_those_of_other_program_versions() -> None:
    # Written down once: with others every row of every replica is read and written again.
    assert row_digest([1, "a", None]) == "ca5e29062d17c1de0bbd18060d65f10b"
    assert seed_of(b"key") == 17_415_745_649_736_240_671
    assert seed_of(b"other") != seed_of(b"key")
