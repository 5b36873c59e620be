"""Rows of any program become bodies; options lose possible secrets."""

from api.registries.bodies.devices_and_entities import DEVICES, ENTITIES, served_fields
from api.registries.bodies.options import served_options


def test_a_device_row_of_nothing_but_its_key() -> None:
    shown = DEVICES.of_row(("d", *[None] * len(DEVICES.columns)), is_listed=True)
    assert (shown.device_id, shown.name, shown.manufacturer, shown.labels) == ("d", "", "Unknown", [])
    assert (shown.entity_count, shown.status, shown.timestamp) == (0, "active", None)


def test_an_entity_row_of_nothing_but_its_key() -> None:
    shown = ENTITIES.of_row(("light.a", *[None] * len(ENTITIES.columns)), is_listed=True)
    assert (shown.domain, shown.platform, shown.aliases, shown.options) == ("light", "unknown", [], {})
    assert shown.disabled is False


def test_columns_go_to_fields_of_their_name() -> None:
    device = DEVICES.of_row(("id", *DEVICES.columns))
    assert [device.manufacturer, device.integration, device.via_device, device.serial_number] == [
        "manufacturer",
        "integration",
        "via_device_id",
        "serial_number",
    ]
    entity = ENTITIES.of_row(("a.b", *ENTITIES.columns))
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
