"""The pages as a browser gets them: whole, light, escaped, relative, and honest about unknowns."""

import gzip
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from api.http.server import SECURITY_HEADERS
from api.page.routes import PAGE_ROUTES
from api.page.templates import STATIC
from engine.core.compare.diff import Cause
from engine.core.records.record import Area, Floor
from engine.core.state.report import Report
from engine.core.state.status import ReplicaStatus, SourceStatus
from engine.core.words import SyncStatus
from tests.api.page.markup import Markup
from tests.api.serving import Api, api_over, no_metrics, status_of, write_home
from tests.api.test_past import timeline_of_sample
from tests.commandline.reports import changed, foreign, refusal, replica, report
from tests.examples import first_quick
from tests.homes import ENTRY, NOON, device, entity, snapshot

Sample = tuple[Path, Report]
HOSTILE = (
    "<script>alert(1)</script>",
    "</bdi></a><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "'-alert(1)-'",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "\u202eevil\u202c مصباح المطبخ",
    "👩‍👩‍👧‍👦 家 🏠",
    "x" * 255,
    "&lt;b&gt;&amp;",
)


async def page(api: Api, path: str = "/", status: int = 200) -> Markup:
    response = await api.client.get(path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    return Markup(response.text)


async def test_the_page_answers_the_four_questions_in_order(api: Api) -> None:
    front = await page(api)
    ids = [e["id"] for e in front.elements if e.name == "section"]
    assert ids == ["status", "drift", "changes", "home"]
    assert front.text_of("status-word") == "In sync"
    assert "12 s ago" in front.text_of("status-proof")
    assert "No differences." in front.text_of("drift")
    assert len(front.all("li")) > 80
    assert "72 devices, 111 entities" in front.text_of("home")


async def test_every_state_is_a_word_a_symbol_and_a_class(sample: Sample) -> None:
    words = {"out_of_sync": "Out of sync", "blocked": "Held back by a guard", "unknown": "Unknown"}
    symbols = set()
    async with api_over(*sample) as api:
        for state, word in words.items():
            replicas = (ReplicaStatus("sqlite", SyncStatus(state), compared_at=NOON),)
            api.status = status_of(report(replicas=()), replicas=replicas)
            front = await page(api)
            assert (front.text_of("status-word"), front.one("section", id="status")["class"]) == (
                word,
                f"status {state}",
            )
            symbols.add(front.all("path")[1]["d"])  # the first belongs to the template of the unknown one
    assert len(symbols) == 3


async def test_the_guards_sentence_and_setting_are_on_the_page(sample: Sample) -> None:
    async with api_over(*sample) as api:
        reported = report(replicas=(replica(status="blocked", refusals=(refusal(),)),))
        api.status = status_of(
            reported, replicas=(ReplicaStatus("sqlite", SyncStatus.BLOCKED, compared_at=NOON),)
        )
        said = (await page(api)).text_of("status")
        assert "Plan deletes 412 of 980 records (42%)." in said
        assert "raise plan.delete_ratio_max (now 0.10)" in said


async def test_a_lost_home_assistant_is_never_fresh(api: Api) -> None:
    source = SourceStatus("ws://home", False, "2026.11.0", "RUNNING", error="Connection refused.")
    lost = tuple(msgspec.structs.replace(r, unproven_since=api.now) for r in api.status.replicas)
    api.status = msgspec.structs.replace(api.status, source=source, replicas=lost)
    front = await page(api)
    assert front.text_of("status-word") == "Unknown"
    assert "Connection refused." in front.text_of("status")
    assert front.one("title").text.startswith("Unknown")


async def test_a_store_that_cannot_be_read_is_reported_on_the_page(tmp_path: Path) -> None:
    async with api_over(tmp_path / "none.db", looked=False) as api:
        front = await page(api)
        assert front.text_of("status-word") == "Unknown"
        assert "no rows file" in front.text_of("changes")
        assert "no rows file" in front.text_of("home")
        for path in ("/changes", "/device?id=x", "/home"):
            assert "no rows file" in (await page(api, path, 503)).one("main").text


async def test_differences_are_grouped_counted_and_paged(sample: Sample) -> None:
    records = [foreign(f"Mock {n:03}") for n in range(130)]
    drifted = changed("Lamp", ("name", "Old", "New"), cause=Cause.DRIFT)
    async with api_over(*sample) as api:
        api.status = status_of(report(*records, drifted))
        front = await page(api)
        assert [e["id"] for e in front.all("details")] == ["group-drifted-device", "group-foreign-device"]
        assert len(front.all("th", scope="row")) == 1, "the real difference has its table"
        assert front.text_of("drift").count("Mock ") == 5
        assert "All that differs: 131 records" in front.text_of("drift")
        assert "130 records" in front.text_of("group-foreign-device")
        whole = await page(api, "/drift")
        assert whole.text_of("group-foreign-device").count("no entity belongs to it") == 1
        assert front.one("caption").text.startswith("Drifted: devices")
        assert [e.text for e in whole.all("del")] == ["Old"]
        listed = [(await page(api, f"/drift?state=foreign&page={n}")).one("main").text for n in (1, 2)]
        assert [text.count("mock ") for text in listed] == [100, 30]
        found = (await page(api, "/drift?q=mock+007")).one("main").text
        assert "Shown: 1 record of 131" in found


async def test_the_next_step_comes_first_with_a_command_and_its_paragraph(sample: Sample) -> None:
    reported = report(foreign("Sun"), replicas=(replica(status="blocked", refusals=(refusal(),)),))
    async with api_over(*sample) as api:
        api.status = status_of(reported)
        front = await page(api)
        ids = [e["id"] for e in front.elements if "id" in e.attributes]
        assert ids.index("status-proof") < ids.index("todo-title") < ids.index("drift")
        assert "reconcile --prune-foreign" in front.text_of("todo-foreign")
        guard = next(i for i in ids if i.endswith(refusal().guard))
        assert "Plan deletes 412 of 980 records" in front.text_of(guard)
        paragraphs = await page(api, "/help")
        anchors = {e["id"] for e in paragraphs.elements if "id" in e.attributes}
        for link in (e["href"] for e in front.all("a") if e["href"].startswith("help#")):
            assert link.partition("#")[2] in anchors


@pytest.mark.parametrize("hostile", first_quick(HOSTILE))
async def test_names_are_text_wherever_they_stand(tmp_path: Path, hostile: str) -> None:
    home = snapshot(
        ENTRY,
        Area(area_id="a", name=hostile),
        Floor(floor_id="f", name=hostile),
        device(1, name=hostile, manufacturer=hostile, model=hostile, area_id="a", labels=(hostile,)),
        entity(1, name=hostile, device_id=device(1).id, unique_id=hostile, platform=hostile),
        entity(2, original_name=hostile),
    )
    reported = await write_home(tmp_path / "rows.db", home)
    difference = changed(
        hostile, ("name", hostile, "x"), ("model", None, hostile), key=hostile, why=(hostile,)
    )
    reported = msgspec.structs.replace(reported, records=(difference, foreign(hostile, key=hostile)))
    async with api_over(tmp_path / "rows.db", reported) as api:
        source = msgspec.structs.replace(api.status.source, error=hostile)
        api.status = msgspec.structs.replace(api.status, source=source)
        paths = ("/", "/drift", "/changes", f"/device?id={device(1).id}", "/entity?id=sensor.s1")
        for path in (*paths, "/?loose=true", "/?area=a"):
            front = await page(api, path)
            assert hostile in front.one("body").text
            assert len(front.all("script")) == 1
            assert front.all("img") == []
            assert not any(name.startswith("on") for e in front.elements for name in e.attributes)
            assert not any(
                e["href"].startswith("javascript") for e in front.elements if "href" in e.attributes
            )
        response = await api.client.get("/", params={"q": hostile})
        asked = Markup(response.text)
        assert asked.one("input", id="q")["value"] == hostile
        assert hostile in asked.text_of("found")


@pytest.mark.slow
async def test_all_links_are_relative_and_lead_somewhere(sample: Sample) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample(), metrics=no_metrics) as api:
        seen = set()
        for path in ("/", "/changes", "/drift", "/entity?id=light.bed_light", "/device?id=nothing"):
            markup = Markup((await api.client.get(path)).text)
            for element in markup.elements:
                for name in ("href", "src", "action", "data-live", "data-search", "data-stream"):
                    if name in element.attributes:
                        seen.add(element[name])
        for address in seen:
            parts = urlsplit(address)
            assert not parts.scheme
            assert not parts.netloc
            assert not parts.path.startswith("/")
            if parts.path != "api/changes/stream":
                response = await api.client.get("/" + address.removeprefix("./").partition("#")[0])
                assert response.status_code == 200, address


async def test_the_policy_forbids_everything_that_the_page_does_not_need(api: Api) -> None:
    policy = dict(SECURITY_HEADERS)["content-security-policy"]
    for part in ("default-src 'self'", "base-uri 'none'", "form-action 'self'", "object-src 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    front = await page(api)
    assert [e for e in front.elements if "style" in e.attributes or e.name == "style"] == []
    assert [e.text for e in front.all("script")] == [""]


async def test_all_of_each_page_weighs_no_more_than_forty_kilobytes(api: Api) -> None:
    static = sum(len(gzip.compress(content, 1)) for content in STATIC.values())
    records = {"/device": "?id=none", "/entity": "?id=light.bed_light"}
    for route in PAGE_ROUTES:
        answer = await api.client.get(route.path + records.get(route.path, ""))
        assert static + len(gzip.compress(answer.content, 1)) <= 40_000, route.path


async def test_static_files_are_kept_by_their_address(api: Api) -> None:
    front = await page(api)
    addresses = [e["href"] for e in front.all("link")] + [e["src"] for e in front.all("script")]
    assert len(addresses) == 3
    for address in addresses:
        response = await api.client.get(f"/{address}")
        assert "immutable" in response.headers["cache-control"]
        tag = response.headers["etag"]
        assert (await api.client.get(f"/{address}", headers={"if-none-match": tag})).status_code == 304
    for path in ("/static/none.css", "/static/../routes.py", "/static/page.css?x=1"):
        assert (await api.client.get(path)).status_code in (400, 404)


async def test_the_live_part_is_the_front_pages_own(api: Api) -> None:
    front, live = await page(api), await page(api, "/live")
    assert live.text_of("status") == front.text_of("status")
    assert live.text_of("changes") == front.text_of("changes")
    assert live.all("html") == []


async def test_the_home_at_a_time(sample: Sample) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        then = await page(api, "/?at=2026-11-23T12:00")
        assert "The home as it was at 2026-11-23 12:00:00 UTC" in then.text_of("found")
        assert "72 devices" in then.text_of("found")
        assert then.one("input", id="at")["value"] == "2026-11-23T12:00"
        links = [e["href"] for e in then.all("a") if e["href"].startswith("device?")]
        assert links
        assert all("at=2026" in href for href in links)
        assert "As it was at" in (await page(api, "/" + links[0])).one("main").text
        assert "yet to come" not in then.text_of("found")
        for path in ("/?at=2100-01-01", "/home?at=2100-01-01"):
            assert "which is yet to come" in (await api.client.get(path)).text


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/?x=1", 400, "Unknown query parameter: x"),
        ("/?page=0", 400, "page"),
        ("/?at=yesterday", 400, "not a time"),
        ("/?area=nowhere", 404, "no area 'nowhere'"),
        ("/home?area=nowhere", 404, "no area 'nowhere'"),
        ("/drift?replica=nope", 404, "no replica 'nope'"),
        ("/drift?registry=nope", 400, "registry"),
        ("/device", 404, "no device"),
        ("/device?id=none", 404, "no device 'none'"),
        ("/entity?id=light.none", 404, "no entity"),
        ("/device?id=x&at=2026-11-23", 501, "records.uri"),
    ],
)
async def test_errors_are_reported_as_a_page(api: Api, path: str, status: int, detail: str) -> None:
    wrong = await page(api, path, status)
    assert detail in wrong.one("main").text
    assert wrong.one("a", class_="brand")["href"] == "./"


async def test_page_routes_are_counted_under_their_address(api: Api) -> None:
    for route in PAGE_ROUTES:
        await api.client.head(route.path)
    await api.client.get("/static/page.css")
    assert {path for path, _, _ in api.requests} == {r.path for r in PAGE_ROUTES} | {"/static/{name}"}


async def test_the_api_is_rendered_from_its_document(api: Api) -> None:
    docs = await page(api, "/docs")
    ids = {e["id"] for e in docs.all("details")}
    assert {"list_devices", "get_drift", "get_facets", "get_device_history"} <= ids
    assert "in any case" in docs.one("main").text
    assert "from 1 to 1,000, 100 if absent; for example 100" in docs.one("main").text
    assert any('"state": "real"' in example.text for example in docs.all("pre"))
    commands = [code.text for code in docs.all("code") if code.text.startswith("curl")]
    assert any(command.endswith("/api/entities/light.bed_light/history") for command in commands)
    assert not [command for command in commands if "{" in command]
    assert [e["href"] for e in docs.all("a") if e["href"].startswith("http")] == []


async def test_a_search_that_finds_nothing_leads_on(api: Api) -> None:
    for path in ("/?q=light.former", "/entities?q=light.former"):
        links = [e["href"] for e in (await page(api, path)).all("a")]
        assert "entity?id=light.former" in links
    front = [e["href"] for e in (await page(api, "/?q=1.4.2+beta")).all("a")]
    assert "devices?q=1.4.2+beta" in front
    assert not [link for link in front if link.startswith("entity?id=1.4.2")]
