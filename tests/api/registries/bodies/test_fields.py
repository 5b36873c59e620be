"""Where a body's fields come from: the same for a row of now and a record of then."""

from pathlib import Path

import pytest

from api.registries.bodies.devices_and_entities import DEVICES, ENTITIES
from api.registries.bodies.fields import BodyMaker, object_of, text_list, time_text
from api.registries.bodies.small import SMALL
from engine.core.records.record import Area, Category, ConfigEntry, Floor, Label, Record
from engine.core.state.record_verdict import Verdicts
from engine.core.state.report import Report
from engine.replicas.rows.codec import encode_row
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader
from tests.api.serving import FRESHNESS, status_of
from tests.commandline.reports import foreign, report
from tests.homes import ENTRY, NOON, device, entity, snapshot

HOME: dict[str, Record] = {
    "device": device(1, labels=("b", "a"), via_device_id="x", area_id="a", name_by_user="Mine", model="M"),
    "entity": entity(
        1,
        device_id=device(1).id,
        options={"sensor": {"display_precision": 1}, "lock": {"default_code": "1"}},
        aliases=("A", None),
        capabilities={"modes": ["x"]},
        original_device_class="power",
        original_name="Power",
        disabled_by="user",
    ),
    "area": Area(area_id="a", name="A", aliases=("x",), labels=("l",)),
    "floor": Floor(floor_id="f", name="F", level=1),
    "label": Label(label_id="l", name="L"),
    "category": Category(category_id="1", scope="script", name="C"),
    "config_entry": ConfigEntry(entry_id="e", domain="demo", title="T", pref_disable_polling=True),
}
every_body = pytest.mark.parametrize(
    "body", [DEVICES, ENTITIES, *SMALL.values()], ids=lambda b: b.registry.name
)


@every_body
@pytest.mark.parametrize("is_listed", [False, True])
def test_a_record_has_the_body_of_its_row(body: BodyMaker, is_listed: bool) -> None:  # type: ignore[type-arg]
    name = body.registry.name
    home = snapshot(ENTRY, *HOME.values(), positions={HOME["area"].key: 0, HOME["floor"].key: 1})
    record = home.home.records[HOME[name].key]
    derived = home.home.derived.get(record.key)
    values = encode_row(record, derived, "2026-11-23 12:00:00.000000")
    by_name = dict(zip(TABLES[name].sql_names, values, strict=True))
    key = by_name["entity_id"] if name == "entity" else record.id_value
    now = body.of_row((key, *(by_name[column] for column in body.columns)), is_listed=is_listed)
    then = body.of_record(record, derived, "2026-11-23T12:00:00.000000Z", is_listed=is_listed)
    assert then == now


def test_a_list_says_that_something_is_unknown_and_a_single_record_null() -> None:
    row = ("d", *[None] * len(DEVICES.columns))
    assert (DEVICES.of_row(row, is_listed=True).model, DEVICES.of_row(row).model) == ("Unknown", None)


def test_a_value_that_is_not_a_list_of_texts_is_empty() -> None:
    assert [text_list(t) for t in ('["a", null, 1]', "kitchen", "3", '{"a": 1}')] == [["a"], [], [], []]


def test_times_are_rfc_3339() -> None:
    assert time_text("2026-11-23 12:00:00.000000") == "2026-11-23T12:00:00.000000Z"
    assert time_text("2026-11-23 12:00:00+01:00") == "2026-11-23T12:00:00+01:00"
    assert [time_text(t) for t in (None, "yesterday")] == [None, "yesterday"]


def test_a_value_that_is_not_an_object_is_empty() -> None:
    assert [object_of(t) for t in ('{"a": 1}', "[1]", "x", None, {"b": 2})] == [
        {"a": 1},
        {},
        {},
        {},
        {"b": 2},
    ]


async def test_many_rows_have_the_bodies_of_each(sample: tuple[Path, Report]) -> None:
    """What rows have in common is made once, and those with a verdict of their own keep it."""
    rows_reader = SqliteRowsReader(sample[0])
    rows = await rows_reader.read(
        lambda transaction: transaction.page("entity", ENTITIES.columns, [], "", 1000)
    )
    await rows_reader.aclose()
    id_place = 1 + ENTITIES.columns.index("id")
    odd = [
        foreign("x", registry="entity", key=rows[3][id_place]),
        foreign("y", registry="entity", key=rows[7][0]),
    ]
    rows[7] = (*rows[7][:id_place], None, *rows[7][id_place + 1 :])
    verdicts = Verdicts(status_of(report(*odd)), NOON, FRESHNESS)
    made = ENTITIES.of_rows(rows, verdicts, is_listed=True)
    assert made == [ENTITIES.of_row(row, verdicts, is_listed=True) for row in rows]
    assert [body.sync.state for body in (made[0], made[3], made[7]) if body.sync] == [
        "real",
        "foreign",
        "foreign",
    ]
    assert ENTITIES.of_rows([], verdicts) == []
