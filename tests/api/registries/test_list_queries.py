"""What lists can be sorted by and cut to."""

import msgspec

from api.http.queries import DevicesQuery
from api.registries.bodies.devices_and_entities import DEVICES, DeviceBody
from api.registries.list_queries import query_of, sort_columns


def test_fields_are_sorted_by_their_columns() -> None:
    columns = sort_columns(DeviceBody, DEVICES.columns)
    assert (columns["device_id"], columns["via_device"], columns["status"]) == (
        "device_id",
        "via_device_id",
        "disabled",
    )
    assert "sync" not in columns
    assert "area_name" not in columns


def test_the_query_lists_the_available_fields() -> None:
    query = query_of("Q", DevicesQuery, DeviceBody, DEVICES.columns)
    properties = msgspec.json.schema_components([query])[1]["Q"]["properties"]
    assert "sw_version" in properties["sort"]["pattern"]
    assert "area_name" in properties["fields"]["pattern"]
    assert query() == query()
