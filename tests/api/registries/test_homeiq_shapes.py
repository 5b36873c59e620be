"""Every field that HomeIQ's data-api declares is there under its name and of its type, for rows of anybody."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core.state.report import Report
from tests.api.serving import api_over
from tests.replicas.passes import sql

SHAPES = msgspec.json.decode((Path(__file__).parents[2] / "data" / "homeiq" / "shapes.json").read_bytes())
# What HomeIQ guesses itself and Home Assistant's registries do not have; its answers may leave each out.
NOT_MIRRORED = {
    *("device_type", "device_category", "power_consumption_idle_w", "power_consumption_active_w"),
    *("power_consumption_max_w", "setup_instructions_url", "troubleshooting_notes", "device_features_json"),
    *("community_rating", "last_capability_sync", "available_services", "version"),
}
TYPES: dict[str, Any] = {
    "str": str,
    "int": int,
    "bool": bool,
    "float": float,
    "list": list,
    "list[str]": list[str],
    "dict": dict[str, Any],
}


def check(answer: dict[str, Any], fields: dict[str, str]) -> None:
    for name, kind in fields.items():
        type_ = TYPES[kind.removesuffix("?")]
        msgspec.convert(answer[name], type_ | None if kind.endswith("?") else type_)


@pytest.mark.parametrize("path", SHAPES)
async def test_rows_of_home_assistant_have_it(path: str, sample: tuple[Path, Report]) -> None:
    shape = SHAPES[path]
    async with api_over(*sample) as api:
        body = await api.get(f"{path}?limit=1000")
    check(body, shape["list"])
    assert body[shape["rows"]]
    optional = {name: kind for name, kind in shape["optional"].items() if name not in NOT_MIRRORED}
    for row in body[shape["rows"]]:
        check(row, shape["required"])
        check(row, optional)
        assert not NOT_MIRRORED & row.keys()


async def test_rows_of_another_program_have_the_shape_except_for_the_missing_time(rows: Path) -> None:
    for statement in (
        "INSERT INTO devices (device_id, name) VALUES ('mock', 'Mock')",
        "INSERT INTO entities (entity_id, domain) VALUES ('light.mock', 'light')",
        "INSERT INTO config_entries (entry_id) VALUES ('mock')",
    ):
        sql(rows, statement)
    async with api_over(rows) as api:
        for path, shape in SHAPES.items():
            fields = {name: kind for name, kind in shape["required"].items() if name != "timestamp"}
            for row in (await api.get(f"{path}?limit=1000"))[shape["rows"]]:
                check(row, fields)
