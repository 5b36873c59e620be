"""Changes as sentences, for every kind of change there is."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.activity import Activity
from api.page.views.changes import ChangesView, changes_view
from api.page.views.home_index import index_of_rows
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader
from tests.homes import NOON
from tests.replicas.passes import sql


def add_change(rows: Path, op: str, key: tuple[str, str], cause: str, before: Any, after: Any) -> None:
    texts = [None if v is None else msgspec.json.encode(v).decode() for v in (before, after)]
    sql(
        rows,
        "INSERT INTO reconcile_changes (run_id, changed_at, op, registry, id, cause, before, after)"
        f" VALUES ('r9', {NOON + 9}, '{op}', '{key[0]}', '{key[1]}', '{cause}', ?, ?)",
        *texts,
    )


async def view(
    rows: Path, before: int | None = None, limit: int = 1, activity: Activity | None = None
) -> ChangesView:
    rows_reader = SqliteRowsReader(rows)
    try:
        return await rows_reader.read(
            lambda m: changes_view(m, index_of_rows(m), activity or Activity(), before, limit)
        )
    finally:
        await rows_reader.aclose()


@pytest.mark.parametrize(
    ("op", "cause", "verb", "remark"),
    [
        ("c", "pending", "added", ", written to SQLite"),
        ("c", "drift", "put back", ": another program had deleted it from SQLite"),
        ("u", "pending", "", ", written to SQLite"),
        ("u", "drift", "", ". Repaired: another program had changed it in SQLite"),
        ("u", "conflict", "", ". It was changed on both sides, and Home Assistant wins"),
        ("d", "pending", "removed", ", deleted from SQLite"),
        ("d", "foreign", "pruned", ": only SQLite had it"),
    ],
)
async def test_every_change_is_a_sentence(rows: Path, op: str, cause: str, verb: str, remark: str) -> None:
    before = None if op == "c" else {"name": "Old", "area_id": "kitchen"}
    after = None if op == "d" else {"name": "New", "area_id": None}
    add_change(rows, op, ("device", "gone"), cause, before, after)
    (change,) = (await view(rows)).changes
    assert (change.name, change.verb, change.remark) == ("New" if after else "Old", verb, remark)
    assert change.at == NOON + 9
    assert change.is_repair == (cause in ("drift", "conflict"))
    assert [(f.label, f.was, f.is_) for f in change.fields] == (
        [("name", "Old", "New"), ("area", "Kitchen", None)] if op == "u" else []
    )


async def test_an_entity_is_shown_with_its_current_name_and_linked_by_entity_id(rows: Path) -> None:
    rows_reader = SqliteRowsReader(rows)
    entity_id, id_, name = (
        await rows_reader.read(lambda m: m.page("entity", ("id", "effective_name"), (), "light.", 1))
    )[0]
    await rows_reader.aclose()
    add_change(rows, "u", ("entity", id_), "pending", {"icon": "a"}, {"icon": "b"})
    (change,) = (await view(rows)).changes
    assert (change.name, change.known_as, change.href) == (name, entity_id, f"entity?id={entity_id}")


async def test_the_duration_of_a_write_is_shown_if_known(rows: Path) -> None:
    class Timed(Activity):
        def write_seconds(self, write: tuple[str, str, str]) -> float | None:
            return {("r9", "device", "d"): 0.038}.get(write)

    add_change(rows, "u", ("device", "d"), "pending", {"name": "a"}, {"name": "b"})
    (change,) = (await view(rows, activity=Timed())).changes
    assert change.remark == ", written to SQLite in 38 ms"


async def test_pages_go_back_to_the_first_change_and_hold_each_once(rows: Path) -> None:
    seen: list[int] = []
    before: int | None = None
    while True:
        page = await view(rows, before, 50)
        seen += [change.seq for change in page.changes]
        before = page.older
        if before is None:
            break
    assert seen == list(range(205, 0, -1))


async def test_a_feed_that_was_shortened_ends_where_it_begins(rows: Path) -> None:
    sql(rows, "DELETE FROM reconcile_changes WHERE seq <= 200")
    page = await view(rows, None, 50)
    assert ([c.seq for c in page.changes], page.older) == ([205, 204, 203, 202, 201], None)
    sql(rows, "DELETE FROM reconcile_changes")
    assert (await view(rows)).changes == []


async def test_a_device_that_moves_is_one_event_with_its_entities(rows: Path) -> None:
    sql(rows, "DELETE FROM reconcile_changes")
    rows_reader = SqliteRowsReader(rows)
    found = await rows_reader.read(
        lambda m: m.page("entity", ("id", "device_id"), [("has_device", True)], "", 1000)
    )
    await rows_reader.aclose()
    device = max({d for *_, d in found}, key=lambda d: sum(own == d for *_, own in found))
    ids = [id_ for _, id_, own in found if own == device]
    other = next(id_ for _, id_, own in found if own != device)
    moved = {"effective_area_id": "kitchen"}, {"effective_area_id": "garden"}
    add_change(rows, "u", ("device", device), "pending", {"area_id": "kitchen"}, {"area_id": "garden"})
    for id_ in [*ids, other]:
        add_change(rows, "u", ("entity", id_), "pending", *moved)
    add_change(rows, "u", ("entity", ids[0]), "pending", {"icon": "a"}, {"icon": "b"})
    shown = (await view(rows, None, 100)).changes
    assert [len(change.with_it) for change in shown] == [0, 0, len(ids)]
    assert shown[2].registry == "device"
    # A page that would end among the entities continues to their device.
    page = await view(rows, None, 3)
    assert [change.registry for change in page.changes] == ["entity", "entity", "device"]
    assert page.older is None
