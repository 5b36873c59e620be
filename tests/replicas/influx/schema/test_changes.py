"""The lines that list the changes of a run."""

import itertools
from typing import Any

from engine.core.compare.plan import Operation
from engine.replicas.influx.schema.changes import change_lines
from tests.fakes.influxdb import parse_line
from tests.fakes.plans import operation_of
from tests.homes import device, entity


def reported(*operations: Operation) -> list[dict[str, Any]]:
    times = itertools.count(5)
    parsed = [parse_line(line) for line in change_lines("home", "run", operations, lambda: next(times))]
    assert [at for *_, at in parsed] == list(range(5, 5 + len(parsed)))
    assert all(name == "ha_change" and set(tags) == {"site", "registry"} for name, tags, *_ in parsed)
    return [{"registry": tags["registry"], **fields} for _, tags, fields, _ in parsed]


def test_every_changed_field_is_a_line() -> None:
    [area, version] = reported(operation_of(device(1, name="Lamp"), area_id="kitchen", sw_version="2"))
    assert area == {
        "registry": "device", "record": device(1).id, "name": "Lamp", "entity_id": "-", "op": "update",
        "field": "area_id", "before": "-", "after": "kitchen", "cause": "pending", "run": "run",
        "text": "Lamp: area_id - → kitchen",
    }  # fmt: skip
    assert (version["field"], version["before"], version["after"]) == ("sw_version", "-", "2")


def test_a_create_or_a_delete_is_one_line() -> None:
    [created] = reported(operation_of(None, entity(1)))
    [deleted] = reported(operation_of(entity(1), None))
    assert (created["op"], created["field"], created["entity_id"]) == ("create", "-", "sensor.s1")
    assert (deleted["op"], deleted["field"], deleted["text"]) == ("delete", "-", "sensor.s1: delete")


def test_a_rename_says_both_names_and_a_list_is_json() -> None:
    moved = reported(operation_of(entity(1), entity_id="sensor.new", labels=("a", "b")))
    assert [(m["op"], m["field"], m["before"], m["after"]) for m in moved] == [
        ("move", "entity_id", "sensor.s1", "sensor.new"),
        ("move", "labels", "-", '["a","b"]'),
    ]


def test_a_long_value_is_cut_and_no_value_breaks_the_line() -> None:
    [change] = reported(operation_of(device(1), name='x\n" \\' + "y" * 1000))
    assert len(change["after"]) == 503
    assert change["after"].startswith('x " \\y')
