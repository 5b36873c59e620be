"""The queries of docs/influxdb-queries.md and of the dashboards "The home over time", each against real servers."""

import csv
import http.client
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from engine.core.records.record import Area, Record
from engine.replicas.influx.open import open_wire
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.records import InfluxRecords
from engine.replicas.influx.wires.http import Credentials
from engine.replicas.rows.replica import open_rows
from tests.homes import ENTRY, device, entity, snapshot
from tests.real.influxdb import InfluxMissingError, InfluxServer, influxdb_or_skip
from tests.real.influxdb2 import ORG, InfluxServer2, own_influxdb2
from tests.replicas.passes import one_pass

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "influxdb-queries.md").read_text()
DASHBOARDS = {
    language: json.loads((ROOT / f"ops/grafana/dashboards/home-over-time-{language}.json").read_bytes())
    for language in ("influxql", "flux")
}
SECTIONS = dict(re.findall(r"^## \d+\. (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
# What the answer to each question must hold, and what it must not.
ANSWERS = {
    "Which devices are in the kitchen?": ({"Lamp", "X1"}, {"Plug"}),
    "How many devices are in each area, over time?": ({"attic", "kitchen", "-"}, {"Lamp"}),
    "Which firmware did a device run, and since when?": ({"1.0", "2.0"}, {"attic"}),
    "Which firmware does every device run now?": ({"Lamp", "Plug", "2.0"}, {"1.0", "Gone"}),
    "When did an entity change, and how?": ({"disabled_by", "user"}, {"sw_version"}),
    "What changed in the last week?": ({"Lamp: sw_version 1.0 → 2.0", "Gone: delete"}, set()),
    "What was removed?": ({"Gone"}, {"Lamp"}),
    "Which entities are disabled, and by whom?": ({"light.lamp", "user"}, {"switch.plug"}),
    "Where was everything two days ago?": ({"Lamp", "attic", "Gone"}, {"kitchen"}),
    "How many records are there, and how many did each run write?": ({"8", "7"}, set()),
}
PANELS = {
    "Devices per area": {"attic", "kitchen", "-"},
    "Entities per area": {"attic", "kitchen"},
    "Records": {"area", "config_entry"},
    "Changes per day": {"4"},
    "What changed": {"sw_version", "Lamp", "pending"},
    "Firmware": {"Lamp", "Plug", "2.0"},
    "Disabled entities": {"light.lamp", "user"},
}
DAY = 86_400


def homes() -> Iterator[tuple[float, tuple[Record, ...]]]:
    """The home on several days, as (days ago, records)."""
    rooms = Area(area_id="kitchen", name="Kitchen"), Area(area_id="attic", name="Attic")
    lamp = device(1, name="Lamp", area_id="attic", manufacturer="Acme", model="X1", sw_version="1.0")
    plug, gone = device(2, name="Plug"), device(3, name="Gone", area_id="attic")
    light = entity(1, entity_id="light.lamp", name="Light", device_id=lamp.id)
    switch = entity(2, entity_id="switch.plug", device_id=plug.id)
    yield 5, (ENTRY, *rooms, lamp, plug, gone, light, switch)
    newer = msgspec.structs.replace(lamp, sw_version="2.0", area_id="kitchen")
    off = msgspec.structs.replace(light, disabled_by="user")
    yield 1, (ENTRY, *rooms, newer, plug, off, switch)


def fill(uri: str, credentials: Credentials, folder: Path) -> None:
    now = time.time()
    with_wire = open_wire(uri, credentials, timeout_seconds=60)
    replica = InfluxRecords(
        with_wire, InfluxOptions(site="home"), outbox=None, clock=time.time, sleep=lambda _: None
    )
    rows = open_rows(folder / "rows.db")
    for days, records in homes():
        one_pass(replica, rows, snapshot(*records), at=now - days * DAY)
    replica.close()
    rows.close()


class Asked(NamedTuple):
    """A filled server, and how a language is asked there."""

    language: str
    server: InfluxServer | InfluxServer2

    def values(self, query: str) -> set[str]:
        """Every value in the answer as a text, tags among them."""
        if self.language == "influxql":
            return {str(value) for row in self.server.query(query) for value in row.values()}
        return {cell for row in csv.reader(self._flux(query).splitlines()) for cell in row[3:]}

    def _flux(self, query: str) -> str:
        body = msgspec.json.encode({"query": query, "dialect": {"annotations": []}})
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        credentials = self.server.credentials if isinstance(self.server, InfluxServer2) else Credentials()
        headers = {"Content-Type": "application/json", **credentials.header()}
        connection.request("POST", f"/api/v2/query?org={ORG}", body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        assert answer.status == 200, text
        assert "error" not in text.partition("\n")[0], text
        return text


@pytest.fixture(
    scope="module",
    params=[
        "influxql on 1.6",
        "influxql on 1.8",
        "flux on 1.8",
        pytest.param("influxql on 2.x", marks=pytest.mark.optional_server),
        pytest.param("flux on 2.x", marks=pytest.mark.optional_server),
    ],
)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    language, version = request.param.split(" on ")
    folder = tmp_path_factory.mktemp("asked")
    if version == "2.x":
        try:
            with own_influxdb2(folder / "server") as server2:
                fill(server2.uri, server2.credentials, folder)
                yield Asked(language, server2)
        except InfluxMissingError as missing:
            pytest.skip(str(missing))
        return
    with influxdb_or_skip(folder / "server", version="1" if version == "1.6" else version) as server:
        fill(server.uri, Credentials(), folder)
        yield Asked(language, server)


def test_there_are_ten_questions_and_each_is_answered_here() -> None:
    assert len(SECTIONS) == 10
    assert list(SECTIONS) == list(ANSWERS)


@pytest.mark.parametrize("question", SECTIONS)
def test_a_question_of_the_documentation_is_answered(asked: Asked, question: str) -> None:
    fence = {"influxql": "sql", "flux": "flux"}[asked.language]
    [query] = re.findall(rf"```{fence}\n(.*?)```", SECTIONS[question], re.DOTALL)
    values = asked.values(query)
    wanted, unwanted = ANSWERS[question]
    assert wanted <= values, values
    assert not unwanted & values


@pytest.mark.parametrize("title", PANELS)
def test_a_panel_of_the_dashboard_has_something_to_show(asked: Asked, title: str) -> None:
    [panel] = [panel for panel in DASHBOARDS[asked.language]["panels"] if panel["title"] == title]
    values: set[str] = set()
    for target in panel["targets"]:
        values |= asked.values(substituted(target["query"]))
    assert PANELS[title] <= values, values


def test_the_variable_and_the_annotations_have_something_to_show(asked: Asked) -> None:
    dashboard = DASHBOARDS[asked.language]
    [site] = [v for v in dashboard["templating"]["list"] if v["name"] == "site"]
    assert "home" in asked.values(substituted(site["definition"]))
    [annotation] = dashboard["annotations"]["list"]
    assert "Lamp: sw_version 1.0 → 2.0" in asked.values(substituted(annotation["target"]["query"]))


def test_both_dashboards_show_the_same() -> None:
    both: list[list[Any]] = [
        [(p["title"], p["type"], p["description"], p["gridPos"]) for p in dashboard["panels"]]
        for dashboard in DASHBOARDS.values()
    ]
    assert both[0] == both[1]
    assert [title for title, *_ in both[0]] == list(PANELS)


def substituted(query: str) -> str:
    """As Grafana sends it, for the last 30 days."""
    for variable, value in {
        "$timeFilter": "time > now() - 30d",
        "$__interval": "1d",
        "$site": "home",
        "$bucket": "homes",
        "v.timeRangeStart": "-30d",
        "v.timeRangeStop": "now()",
        "v.windowPeriod": "1d",
    }.items():
        query = query.replace(variable, value)
    assert "$" not in query
    return query
