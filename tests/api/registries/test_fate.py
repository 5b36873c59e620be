"""A 404 for a former record states its fate."""

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from engine.replicas.history.replica import open_history
from engine.replicas.rows.replica import open_rows
from tests.api.serving import Api, api_over
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import one_pass

DELETED, LOST = entity(2, entity_id="light.deleted"), entity(3, entity_id="light.lost")
FIRST = snapshot(ENTRY, device(1), device(2), entity(1, entity_id="light.old"), DELETED, LOST)
GONE = (device(2), DELETED)
SECOND = snapshot(
    ENTRY, device(1), entity(1, entity_id="light.new"), LOST, removed=[record.key for record in GONE]
)


def fill(folder: Path) -> None:
    """Two passes over rows and history; then another program deletes one row and adds another."""
    rows, history = open_rows(folder / "rows.db"), open_history(folder / "history.db")
    for home, at in ((FIRST, NOON), (SECOND, NOON + 60)):
        for replica in (rows, history):
            one_pass(replica, rows, home, at=at)
    rows.close()
    history.close()
    with apsw.Connection(str(folder / "rows.db")) as other:
        other.execute("DELETE FROM entities WHERE entity_id = 'light.lost'")
        other.execute("INSERT INTO devices (device_id, name) VALUES ('mocked', 'Sun')")


@pytest.fixture(params=["with records", "without records"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    fill(tmp_path)
    past = open_history(tmp_path / "history.db") if request.param == "with records" else None
    async with api_over(tmp_path / "rows.db", timeline=past) as made:
        yield made
    if past is not None:
        past.close()


@pytest.mark.parametrize(
    ("path", "what", "now"),
    [
        ("/api/entities/light.old", "renamed", "light.new"),
        ("/api/entities/light.deleted", "deleted", None),
        (f"/api/entities/{DELETED.id}", "deleted", None),
        ("/api/entities/light.lost", "lost", None),
        (f"/api/devices/{device(2).id}", "deleted", None),
    ],
)
async def test_a_former_record_is_not_described_as_unknown(
    api: Api, path: str, what: str, now: str | None
) -> None:
    problem = await api.get(path, 404)
    assert (problem["became"]["what"], problem["became"]["now"]) == (what, now)
    if what == "deleted":
        assert problem["became"]["at"] == "2026-11-23T12:01:00.000Z"
        assert "was deleted at 2026-11-23T12:01:00.000Z" in problem["detail"]


@pytest.fixture(params=["with records", "without records"])
async def reused(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    """Entities 1 and 2 had the name `light.twice` one after the other, as had 3 and 4 `light.gone`, the second ones later."""
    steps = (
        {2: "light.two", 1: "light.twice", 4: "light.four", 3: "light.gone"},
        {2: "light.two", 1: "light.one", 4: "light.four", 3: "light.three"},
        {2: "light.twice", 1: "light.one", 4: "light.gone", 3: "light.three"},
        {2: "light.second", 1: "light.one", 3: "light.three"},
        {2: "light.second", 1: "light.first"},
    )
    rows, history = open_rows(tmp_path / "rows.db"), open_history(tmp_path / "history.db")
    known: set[int] = set()
    for at, names in enumerate(steps):
        removed = [entity(n).key for n in known - names.keys()]
        home = snapshot(ENTRY, *(entity(n, entity_id=name) for n, name in names.items()), removed=removed)
        for replica in (rows, history):
            one_pass(replica, rows, home, at=NOON + 60 * at)
        known = set(names)
    rows.close()
    history.close()
    past = open_history(tmp_path / "history.db") if request.param == "with records" else None
    async with api_over(tmp_path / "rows.db", timeline=past) as made:
        yield made
    if past is not None:
        past.close()


async def test_of_several_former_holders_of_a_name_the_last_is_given(reused: Api) -> None:
    twice = await reused.get("/api/entities/light.twice", 404)
    assert (twice["became"]["id"], twice["became"]["now"]) == (entity(2).id, "light.second")
    gone = await reused.get("/api/entities/light.gone", 404)
    assert (gone["became"]["id"], gone["became"]["at"]) == (entity(4).id, "2026-11-23T12:03:00.000Z")


@pytest.mark.parametrize("with_records", [True, False])
@pytest.mark.parametrize(("ids", "now"), [((9, 5), 5), ((1, 2, 3), 3), ((3, 1, 2), 2), ((1, 2, None), None)])
async def test_a_device_that_was_split_is_found_under_the_id_that_its_row_has_since(
    ids: tuple[int | None, ...], now: int | None, with_records: bool, tmp_path: Path
) -> None:
    rows, history = open_rows(tmp_path / "rows.db"), open_history(tmp_path / "history.db")
    before: int | None = None
    for at, n in enumerate(ids):
        parts = {} if n is None else {n: device(n), n + 20: device(n + 20)}
        old = None if before is None else device(before).id
        splits = {old: tuple(device.id for device in parts.values())} if old and parts else {}
        removed = [device(before).key] if before is not None and n is None else []
        home = snapshot(ENTRY, *parts.values(), splits=splits, removed=removed)
        for replica in (rows, history):
            one_pass(replica, rows, home, at=NOON + 60 * at)
        before = n
    rows.close()
    history.close()
    past = open_history(tmp_path / "history.db") if with_records else None
    async with api_over(tmp_path / "rows.db", timeline=past) as api:
        problem = await api.get(f"/api/devices/{device(ids[0] or 0).id}", 404)
        if now is None:
            assert problem["became"]["what"] == "deleted"
        else:
            assert (problem["became"]["what"], problem["became"]["now"]) == ("renamed", device(now).id)
            assert "has another id by now" in problem["detail"]
            assert "Another one" not in problem["detail"]
    if past is not None:
        past.close()


async def test_a_record_that_never_existed_is_described_as_unknown(api: Api) -> None:
    problem = await api.get("/api/entities/light.never", 404)
    assert problem["detail"] == "There is no entity 'light.never'."
    assert "became" not in problem


async def test_a_history_is_found_by_every_name(api: Api) -> None:
    if api.context.timeline is None:
        return
    for asked, entity_id, ops in (
        ("light.old", "light.new", ["create", "update"]),
        ("light.new", "light.new", ["create", "update"]),
        (entity(1).id, "light.new", ["create", "update"]),
        ("light.deleted", None, ["create", "delete"]),
        (DELETED.id, None, ["create", "delete"]),
        ("light.lost", None, ["create"]),
    ):
        body = await api.get(f"/api/entities/{asked}/history")
        assert (body["entity_id"], [r["op"] for r in body["revisions"]]) == (entity_id, ops), asked
    foreign = await api.get("/api/devices/mocked/history", 404)
    assert "although it has a row" in foreign["detail"]
    never = await api.get("/api/devices/never/history", 404)
    assert never["detail"] == "There never was the device 'never', as far as the records reach."


async def test_the_page_shows_a_renamed_record_and_the_known_fate_of_a_deleted_one(api: Api) -> None:
    renamed = await api.client.get("/entity?id=light.old")
    assert (renamed.status_code, "light.new" in renamed.text) == (200, True)
    deleted = await api.client.get("/entity?id=light.deleted")
    if api.context.timeline is None:
        assert (deleted.status_code, "was deleted at" in deleted.text) == (404, True)
    else:
        assert (deleted.status_code, "Gone" in deleted.text) == (200, True)
    assert (await api.client.get("/entity?id=light.never")).status_code == 404


async def test_an_entity_is_found_by_its_registry_id_and_not_called_renamed_or_unknown(
    api: Api, tmp_path: Path
) -> None:
    with apsw.Connection(str(tmp_path / "rows.db")) as other:
        other.execute("INSERT INTO entities (entity_id, id, domain) VALUES ('light.mock', 'mock', 'light')")
    assert (await api.get(f"/api/entities/{entity(1).id}"))["entity_id"] == "light.new"
    assert (await api.get("/api/entities/mock"))["entity_id"] == "light.mock"


async def test_it_is_found_so_in_the_past_too(tmp_path: Path) -> None:
    fill(tmp_path)
    past = open_history(tmp_path / "history.db")
    async with api_over(tmp_path / "rows.db", timeline=past) as api:
        then = await api.get(f"/api/entities/{entity(1).id}?at=2026-11-23T12:00:30Z")
        assert then["entity_id"] == "light.old"
        deleted = await api.get(f"/api/entities/{DELETED.id}?at=2026-11-23T12:00:30Z")
        assert deleted["entity_id"] == "light.deleted"
        assert "no entity" in (await api.get("/api/entities/none?at=2026-11-23T12:00:30Z", 404))["detail"]
    past.close()
