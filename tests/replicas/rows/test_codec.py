"""A row gives back exactly the record it was made from, and says the same to HomeIQ."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Category, ConfigEntry, Device, Entity, Record
from engine.core.records.record_json import canonical_fields
from engine.replicas.rows.codec import decode_row, digest_row, encode_row, format_time, judge_row, parse_time
from engine.replicas.rows.columns import TABLES, Value
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import captured_records
from tests.strategies import homes

SEEN = "2026-11-23 12:00:00.000000"


def row_of(record: Record, desired: Snapshot | None = None) -> tuple[Value, ...]:
    return encode_row(record, (desired or snapshot(record)).home.derived.get(record.key), SEEN)


def column(record: Record, name: str) -> Value:
    return row_of(record)[TABLES[record.REGISTRY].indexes[name]]


def assert_round_trip(desired: Snapshot) -> None:
    for key, record in desired.home.records.items():
        values = row_of(record, desired)
        stored = decode_row(TABLES[key.registry], key, values)
        assert stored.fields == canonical_fields(record)
        assert TABLES[key.registry].id_of(values, 1) == key.id
        assert judge_row(key, values) == (desired.home.row_versions[key], True)


@given(homes())
def test_any_home_round_trips(records: list[Record]) -> None:
    assert_round_trip(snapshot(*records))


@pytest.mark.parametrize("version", ["2024.3.3", "2026.11.0"])
def test_a_real_home_round_trips(version: str) -> None:
    assert_round_trip(snapshot(*captured_records(version)))


@pytest.mark.parametrize(
    "record",
    [
        entity(1, aliases=()),
        entity(1, aliases=("a", None), capabilities={}, has_entity_name=False, supported_features=0),
        entity(
            1, name="", extra={"domain": "x", "disabled": 1, "extra": {"a": [None]}, "name_is_stand_in": True}
        ),
        device(1, name=None),
        device(1, name=None, name_by_user="Mine", extra={"suggested_area": "Kitchen"}),
        device(1, name="", extra={"suggested_area": ["no", "text"]}),
        device(1, identifiers=(("hue", 1), ("hue", "1", 1.5)), extra={"suggested_area": ""}),
        Category(category_id="c", scope="helpers", name="C"),
        ConfigEntry(entry_id="x", domain="hue", title="", pref_disable_polling=True),
    ],
)
def test_awkward_records_round_trip(record: Record) -> None:
    assert_round_trip(snapshot(record))


def test_tables_begin_with_the_columns_of_homeiq() -> None:
    assert TABLES["device"].sql_names[:13] == (
        *("device_id", "name", "manufacturer", "model", "sw_version", "area_id", "integration", "last_seen"),
        *("created_at", "name_by_user", "entry_type", "configuration_url", "suggested_area"),
    )
    assert TABLES["entity"].sql_names[:8] == (
        *("entity_id", "device_id", "domain", "platform", "unique_id", "area_id", "disabled", "created_at"),
    )


def test_a_device_without_a_name_shows_its_effective_name() -> None:
    assert column(device(1, name=None, name_by_user="Mine"), "name") == "Mine"
    assert column(device(1, name=None), "name") == ""


def test_a_column_holds_the_value_that_a_reader_expects() -> None:
    lamp = entity(1, labels=("b", "a"), created_at=1729105200.123456, disabled_by="user")
    assert column(lamp, "labels") == '["a","b"]'
    assert column(lamp, "created_at") == "2024-10-16 19:00:00.123456"
    assert (column(lamp, "domain"), column(lamp, "disabled")) == ("sensor", 1)
    assert column(lamp, "options") is None
    assert column(device(1, extra={"suggested_area": "Kitchen"}), "extra") is None


@given(st.integers(0, 250_000_000_000_000_000))
def test_times_survive_to_the_microsecond(microseconds: int) -> None:
    text = format_time(microseconds / 1e6)
    assert text is not None
    assert parse_time(text) == pytest.approx(microseconds / 1e6, abs=1e-4)
    if microseconds < 2**52:
        assert parse_time(text) == microseconds / 1e6


@pytest.mark.parametrize("value", [1e20, -1e20, float("nan"), float("inf")])
def test_a_time_no_calendar_has_is_none(value: float) -> None:
    assert format_time(value) is None


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13-01", "10000-01-01"])
def test_a_text_that_is_no_time_is_none(text: str) -> None:
    assert parse_time(text) is None


def test_a_digest_shows_every_value_and_type_apart() -> None:
    values: list[Value] = [None, "", "1", 1, 1.5, b"1", b"", float("inf"), float("-inf"), "null", 0, "MQ=="]
    assert len({digest_row((value, SEEN)) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("platform", None),
        ("unique_id", b"x"),
        ("labels", "[1]"),
        ("disabled", 7),
        ("options", "[]"),
        ("id", ""),
    ],
)
def test_a_row_that_is_no_record_has_no_version(name: str, value: Value) -> None:
    values = list(row_of(entity(1)))
    values[TABLES["entity"].indexes[name]] = value
    assert judge_row(entity(1).key, tuple(values)) is None


def test_an_equal_row_in_another_spelling_is_not_as_written() -> None:
    values = list(row_of(entity(1)))
    values[TABLES["entity"].indexes["options"]] = "{}"
    assert judge_row(entity(1).key, tuple(values)) == (
        snapshot(entity(1)).home.row_versions[entity(1).key],
        False,
    )


def test_stamps_are_the_rows_own_text() -> None:
    stored = decode_row(TABLES["device"], device(1).key, row_of(device(1, created_at=NOON)))
    assert stored.timestamps == {"last_seen": SEEN, "created_at": SEEN}
    assert ENTRY.key.registry in TABLES
    assert {Device.REGISTRY, Entity.REGISTRY} <= set(TABLES)
