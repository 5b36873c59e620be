"""Every served record states whether it is real."""

from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from engine.core.compare.diff import Cause
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import Report
from engine.core.state.status import SourceStatus
from tests.api.page.markup import Markup
from tests.api.serving import Api, api_over, status_of
from tests.api.test_past import timeline_of_sample
from tests.commandline.reports import added, changed, foreign

Sample = tuple[Path, Report]
MEMBERS = {"state", "cause", "since", "reasons", "differs", "next", "command"}
LISTS = ("devices", "entities", "areas", "floors", "labels", "categories", "integrations")


def two_suns(rows: Path) -> None:
    connection = apsw.Connection(str(rows))
    connection.execute("INSERT INTO devices (device_id, name) VALUES ('mock', 'Sun')")
    connection.execute(
        "INSERT INTO entities (entity_id, domain, original_name) VALUES ('sun.mock', 'sun', 'Sun')"
    )
    connection.close()


MOCKS = (foreign("Sun", key="mock"), foreign("Sun", registry="entity", key="sun.mock", entity_id="sun.mock"))


@pytest.mark.parametrize("name", LISTS)
async def test_every_record_of_every_registry_carries_its_verdict(api: Api, name: str) -> None:
    for row in (await api.get(f"/api/{name}"))[name]:
        assert set(row["sync"]) == MEMBERS
        assert (row["sync"]["state"], row["sync"]["since"]) == ("real", row["timestamp"])


async def test_two_suns_are_distinguished_in_api_and_page(sample: Sample, rows: Path) -> None:
    two_suns(rows)
    reported = msgspec.structs.replace(sample[1], records=MOCKS)
    async with api_over(rows, reported) as api:
        devices = (await api.get("/api/devices?limit=1000"))["devices"]
        states = {d["device_id"]: d["sync"]["state"] for d in devices}
        assert states.pop("mock") == "foreign"
        assert set(states.values()) == {"real"}
        one = (await api.get("/api/devices/mock"))["sync"]
        assert (one["command"], one["cause"]) == ("reconcile --prune-foreign", "foreign")
        assert (await api.get("/api/entities/sun.mock"))["sync"]["state"] == "foreign"
        found = Markup((await api.client.get("/home?q=sun")).text)
        badges = [e.text for e in found.all("span") if "badge" in (e.attributes.get("class") or "")]
        assert badges.count("Foreign") == 2
        assert "Real" in badges
        for path in ("/device?id=mock", "/entity?id=sun.mock"):
            page = Markup((await api.client.get(path)).text)
            said = page.one("section", **{"aria-label": "Verdict"}).text
            assert "Foreign" in said
            assert "Only sqlite has it" in said
            assert "reconcile --prune-foreign" in said


async def test_a_drifted_row_lists_its_differences_without_secrets(sample: Sample) -> None:
    fields = (
        ("name", "Old", "New"),
        ("options", {"lock": {"default_code": "1"}}, {"lock": {"default_code": "2"}}),
    )
    first = "light.bed_light"
    async with api_over(*sample) as api:
        id_ = (await api.rows_reader.read(lambda m: m.row("entity", ("id",), first)))[1]
        difference = changed("Bed", *fields, registry="entity", key=id_, cause=Cause.DRIFT)
        api.status = status_of(msgspec.structs.replace(sample[1], records=(difference,)))
        sync = (await api.get(f"/api/entities/{first}"))["sync"]
        assert sync["state"] == "drifted"
        assert sync["differs"] == [
            {"replica": "sqlite", "name": "name", "source": "New", "found": "Old"},
            {"replica": "sqlite", "name": "options", "source": {}, "found": {}},
        ]


async def test_a_kept_answer_is_not_given_when_the_verdicts_have_changed(api: Api) -> None:
    first = await api.client.get("/api/devices?limit=1")
    etag = {"if-none-match": first.headers["etag"]}
    assert (await api.client.get("/api/devices?limit=1", headers=etag)).status_code == 304
    lost = tuple(msgspec.structs.replace(r, unproven_since=api.now) for r in api.status.replicas)
    source = SourceStatus("ws://home", connected=False, error="Connection refused.")
    api.status = msgspec.structs.replace(api.status, replicas=lost, source=source)
    again = await api.client.get("/api/devices?limit=1", headers=etag)
    assert again.status_code == 200
    (device,) = again.json()["devices"]
    assert device["sync"]["state"] == "unknown"
    assert "Connection refused." in device["sync"]["reasons"][0]


async def test_of_the_past_there_is_no_verdict(sample: Sample) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        page: dict[str, Any] = await api.get("/api/devices?limit=1&at=2026-11-23T12:00:00Z")
        assert page["devices"][0]["sync"] is None


def test_a_report_lists_the_registries_it_read(sample: Sample) -> None:
    assert sample[1].source.registries == REGISTRIES


async def test_a_record_that_the_rows_lack_is_not_called_unknown(sample: Sample) -> None:
    lacking = added("Lamp", registry="entity", key="e-new", entity_id="light.new", cause=Cause.DRIFT)
    async with api_over(sample[0], msgspec.structs.replace(sample[1], records=(lacking,))) as api:
        detail = (await api.get("/api/entities/light.new", 404))["detail"]
        assert detail.startswith("The row of the entity 'light.new' is missing. Another program deleted it")
