"""Rows as CSV."""

import csv
import io

import msgspec

from api.registries.bodies.sync import Sync
from api.registries.forms import as_chosen, as_csv


class Row(msgspec.Struct):
    name: str | None
    labels: list[str]
    count: int
    on: bool
    extra: dict[str, int]
    sync: Sync


SYNC = Sync("real", None, None, (), (), "", None)


def test_values_become_cells() -> None:
    rows = [
        Row("a, b", ["x", "y"], -3, on=True, extra={"k": 1}, sync=SYNC),
        Row(None, [], 0, on=False, extra={}, sync=SYNC),
    ]
    assert as_csv(rows, Row.__struct_fields__).decode().splitlines() == [
        '"name","labels","count","on","extra","sync"',
        '"a, b","x;y","-3","true","{""k"":1}","real"',
        '"","","0","false","{}","real"',
    ]
    assert as_chosen(rows, ("count",)) == [{"count": -3}, {"count": 0}]


def test_no_name_is_a_formula() -> None:
    for name in ("=HYPERLINK(1)", "+1", "-1", "@x", "\tx"):
        row = Row(name, [], 0, on=False, extra={}, sync=SYNC)
        assert as_csv([row], ("name",)).decode().splitlines()[1].strip('"').startswith("'")


def test_no_part_of_a_name_is_a_formula_where_semicolons_divide_cells() -> None:
    row = Row("x;=HYPERLINK(1)", [], 0, on=False, extra={}, sync=SYNC)
    text = as_csv([row], ("name",)).decode()
    assert list(csv.reader(io.StringIO(text), delimiter=";"))[1] == ["x;=HYPERLINK(1)"]
