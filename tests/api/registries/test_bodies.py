"""Rows of anybody become bodies; options lose what may be a secret."""

from api.registries.bodies import (
    DEVICE_COLUMNS,
    ENTITY_COLUMNS,
    device_of_row,
    entity_of_row,
    served_fields,
    text_list,
    time_text,
)
from api.registries.options import served_options


def test_a_device_row_of_nothing_but_its_key() -> None:
    shown = device_of_row(("d", *[None] * len(DEVICE_COLUMNS)), "Unknown")
    assert (shown.device_id, shown.name, shown.manufacturer, shown.labels) == ("d", "", "Unknown", [])
    assert (shown.entity_count, shown.status, shown.timestamp) == (0, "active", None)


def test_an_entity_row_of_nothing_but_its_key() -> None:
    shown = entity_of_row(("light.a", *[None] * len(ENTITY_COLUMNS)), "unknown")
    assert (shown.domain, shown.platform, shown.aliases, shown.options) == ("light", "unknown", [], {})
    assert shown.disabled is False


def test_columns_go_to_fields_of_their_name() -> None:
    device = device_of_row(("id", *DEVICE_COLUMNS), None)
    assert [device.manufacturer, device.integration, device.via_device, device.serial_number] == [
        "manufacturer",
        "integration",
        "via_device_id",
        "serial_number",
    ]
    entity = entity_of_row(("a.b", *ENTITY_COLUMNS), None)
    assert [entity.unique_id, entity.name, entity.friendly_name, entity.unit_of_measurement] == [
        "unique_id",
        "name",
        "effective_name",
        "unit_of_measurement",
    ]


def test_the_code_of_a_lock_is_not_served() -> None:
    options = {"lock": {"default_code": "1234"}, "sensor": {"display_precision": 1, "private": "x"}, "bad": 3}
    assert served_options(options) == {"sensor": {"display_precision": 1}}
    assert served_fields({"options": options, "name": "Lock"}) == {
        "options": {"sensor": {"display_precision": 1}},
        "name": "Lock",
    }
    assert served_fields([1]) is None


def test_what_is_no_list_of_texts_is_empty() -> None:
    assert [text_list(t) for t in ('["a", null, 1]', "kitchen", "3", '{"a": 1}')] == [["a"], [], [], []]


def test_times_are_rfc_3339() -> None:
    assert time_text("2026-11-23 12:00:00.000000") == "2026-11-23T12:00:00.000000Z"
    assert time_text("2026-11-23 12:00:00+01:00") == "2026-11-23T12:00:00+01:00"
    assert [time_text(t) for t in (None, "yesterday")] == [None, "yesterday"]
