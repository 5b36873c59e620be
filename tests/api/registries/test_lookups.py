"""A record is found however its id or entity_id is typed: as it is written, in any case, with blanks around it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from engine.core.records.record import Area
from engine.replicas.history.replica import open_history
from engine.replicas.rows.replica import open_rows
from tests.api.registries.test_fate import DELETED, fill
from tests.api.serving import Api, api_over
from tests.examples import first_quick
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import one_pass

SPELLINGS: list[Callable[[str], str]] = [str.upper, str.capitalize, lambda text: f"  {text.upper()} "]


@pytest.fixture(params=["with records", "without records"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    fill(tmp_path)
    past = open_history(tmp_path / "history.db") if request.param == "with records" else None
    async with api_over(tmp_path / "rows.db", timeline=past) as made:
        yield made
    if past is not None:
        past.close()


@pytest.mark.parametrize("spell", first_quick(SPELLINGS))
@pytest.mark.parametrize(
    ("route", "asked", "field", "found"),
    [
        ("entities", "light.new", "entity_id", "light.new"),
        ("entities", entity(1).id, "entity_id", "light.new"),
        ("devices", device(1).id, "device_id", device(1).id),
        ("integrations", "entry", "entry_id", "entry"),
        ("devices", "mocked", "device_id", "mocked"),
    ],
)
async def test_a_row_is_found(
    api: Api, route: str, asked: str, field: str, found: str, spell: Callable[[str], str]
) -> None:
    assert (await api.get(f"/api/{route}/{quote(spell(asked))}"))[field] == found


@pytest.mark.parametrize("spell", first_quick(SPELLINGS))
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
async def test_a_former_record_is_explained(
    api: Api, path: str, what: str, now: str | None, spell: Callable[[str], str]
) -> None:
    route, _, asked = path.rpartition("/")
    became = (await api.get(f"{route}/{quote(spell(asked))}", 404))["became"]
    assert (became["what"], became["now"]) == (what, now)


@pytest.mark.parametrize("spell", first_quick(SPELLINGS))
@pytest.mark.parametrize("api", ["with records"], indirect=True)
@pytest.mark.parametrize(
    ("route", "asked", "id_"),
    [
        ("entities", "light.new", entity(1).id),
        ("entities", "light.old", entity(1).id),
        ("entities", "light.deleted", DELETED.id),
        ("entities", DELETED.id, DELETED.id),
        ("devices", device(2).id, device(2).id),
    ],
)
async def test_a_past_is_found(
    api: Api, route: str, asked: str, id_: str, spell: Callable[[str], str]
) -> None:
    history = await api.get(f"/api/{route}/{quote(spell(asked))}/history")
    assert history["total"] >= 1
    assert history["id" if route == "entities" else "device_id"] == id_


@pytest.mark.parametrize("spell", first_quick(SPELLINGS))
@pytest.mark.parametrize("api", ["with records"], indirect=True)
@pytest.mark.parametrize(
    ("route", "asked"),
    [
        ("entities", "light.old"),
        ("entities", "light.deleted"),
        ("entities", DELETED.id),
        ("devices", device(2).id),
        ("integrations", "entry"),
    ],
)
@pytest.mark.parametrize("is_whole", [False, True])
async def test_a_record_of_a_time_is_found(
    api: Api, route: str, asked: str, spell: Callable[[str], str], *, is_whole: bool
) -> None:
    at = "at=2026-11-23T12:00:30Z"
    if is_whole:  # then the whole home of that time is kept
        await api.get(f"/api/entities?{at}")
    assert await api.get(f"/api/{route}/{quote(spell(asked))}?{at}")


async def test_two_rows_that_differ_in_case_only_are_not_guessed_between(tmp_path: Path) -> None:

    rows = open_rows(tmp_path / "rows.db")
    one_pass(
        rows,
        rows,
        snapshot(ENTRY, *(Area(area_id=id_, name=id_) for id_ in ("Büro", "büro", "Flur"))),
        at=NOON,
    )
    rows.close()
    async with api_over(tmp_path / "rows.db") as api:
        assert (await api.get(f"/api/areas/{quote('Büro')}"))["area_id"] == "Büro"
        assert (await api.get("/api/areas/fLUR"))["area_id"] == "Flur"
        await api.get(f"/api/areas/{quote('BÜRO')}", 404)


@pytest.mark.parametrize("spell", first_quick(SPELLINGS))
@pytest.mark.parametrize("api", ["with records"], indirect=True)
@pytest.mark.parametrize(
    ("path", "asked", "shown"),
    [
        ("entity", "light.new", "light.new"),
        ("entity", "light.old", "light.new"),
        ("entity", entity(1).id, "light.new"),
        ("entity", "light.deleted", "light.deleted"),
        ("device", device(1).id, "Device 1"),
        ("device", device(2).id, "Device 2"),
        ("integration", "entry", "Demo"),
    ],
)
async def test_a_page_is_found(
    api: Api, path: str, asked: str, shown: str, spell: Callable[[str], str]
) -> None:
    answer = await api.client.get(f"/{path}?id={quote(spell(asked))}")
    assert answer.status_code == 200
    assert shown in answer.text
