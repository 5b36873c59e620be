"""ops/grafana: the dashboards by the rules of grafana/dashboard-linter, and its provisioning.

The linter is a Go program that no package brings. These are its rules as of 2026-05 that apply to a dashboard of one
Prometheus; that each query is valid and finds something is seen in tests/real/test_monitoring.py.
"""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

GRAFANA = Path(__file__).parents[2] / "ops" / "grafana"
DASHBOARDS = {
    name: json.loads((GRAFANA / "dashboards" / f"{name}.json").read_bytes())
    for name in ("ha-reconcile", "fleet")
}
EACH_DASHBOARD = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
PANELS = [panel for board in DASHBOARDS.values() for panel in board["panels"] if panel["type"] != "row"]
EACH_PANEL = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: f"{panel['id']}-{panel['title']}")
CHOSEN = {"type": "prometheus", "uid": "${datasource}"}
FLEET = "ha-reconcile: many homes"
# Of Grafana's units, those in use here.
UNITS = {"none", "short", "s", "dateTimeFromNow", "bytes", "reqps", "percentunit"}


def variables_of(dashboard: dict[str, Any]) -> dict[str, Any]:
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


@EACH_DASHBOARD
def test_the_datasource_is_chosen_by_a_variable(dashboard: dict[str, Any]) -> None:
    """template-datasource-rule, uneditable-dashboard"""
    variables = variables_of(dashboard)
    assert list(variables) == ["datasource", "job", "instance", "site", "service"]
    chooser = variables["datasource"]
    assert (chooser["type"], chooser["query"], chooser["label"]) == (
        "datasource",
        "prometheus",
        "Data source",
    )
    assert dashboard["editable"] is False
    assert "__inputs" not in dashboard


@EACH_DASHBOARD
@pytest.mark.parametrize("name", ["job", "instance", "site"])
def test_job_instance_and_site_are_chosen_by_variables(dashboard: dict[str, Any], name: str) -> None:
    """template-job-rule, template-instance-rule, template-label-promql-rule, template-on-time-change-reload-rule"""
    variable = variables_of(dashboard)[name]
    assert (variable["type"], variable["label"], variable["datasource"]) == ("query", name.title(), CHOSEN)
    # A site is no label of every Prometheus, so all of them are also those without one.
    everything = ".*" if name == "site" else ".+"
    assert (variable["multi"], variable["includeAll"], variable["allValue"]) == (True, True, everything)
    assert variable["refresh"] == 2
    metric = (
        "reconcile_site_in_sync" if (name, dashboard["title"]) == ("site", FLEET) else "reconcile_build_info"
    )
    assert re.fullmatch(rf"label_values\({metric}.*, {name}\)", variable["query"])


@EACH_DASHBOARD
def test_a_dashboard_leads_to_the_others_and_to_the_page(dashboard: dict[str, Any]) -> None:
    others, own_page = dashboard["links"]
    assert (others["type"], others["keepTime"], own_page["url"]) == ("dashboards", True, "${service}")
    assert all(set(others["tags"]) <= set(board["tags"]) for board in DASHBOARDS.values())


@EACH_DASHBOARD
def test_what_happened_is_marked_in_every_panel(dashboard: dict[str, Any]) -> None:
    marks = {mark["name"]: mark for mark in dashboard["annotations"]["list"]}
    assert "Restarts" in marks
    for mark in marks.values():
        assert mark["datasource"] == CHOSEN
        assert 'job=~"$job", instance=~"$instance"' in mark["expr"]
        assert re.search(r"(> 0|== 1)$", mark["expr"]), "each sample that is found is a mark"
        assert mark["titleFormat"]
    assert "Changes written" in marks or dashboard["title"] == FLEET


@EACH_PANEL
def test_every_panel_is_complete(panel: dict[str, Any]) -> None:
    """panel-datasource-rule, panel-title-description-rule, panel-units-rule, panel-no-targets-rule"""
    assert panel["datasource"] == CHOSEN
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["targets"]
    defaults = panel["fieldConfig"]["defaults"]
    assert "mappings" in defaults or defaults["unit"] in UNITS


@EACH_PANEL
def test_every_query_asks_only_for_what_was_chosen(panel: dict[str, Any]) -> None:
    """target-job-rule, target-instance-rule, target-rate-interval-rule, target-counter-agg-rule"""
    for target in panel["targets"]:
        expression = target["expr"]
        selectors = re.findall(r"(\b(?:reconcile|process)_\w+)(\{[^}]*\})?(\[[^\]]*\])?", expression)
        assert selectors
        for name, matchers, window in selectors:
            assert matchers.startswith('{job=~"$job", instance=~"$instance"')
            assert window == ("[$__rate_interval]" if name.endswith(("_total", "_bucket")) else "")
        windows = expression.count("[")
        assert len(re.findall(r"\b(?:rate|increase)\(", expression)) == windows


@EACH_DASHBOARD
def test_the_top_row_comes_first_and_nothing_overlaps(dashboard: dict[str, Any]) -> None:
    assert re.fullmatch(r"Is it in sync.*|How many homes are in sync\?", dashboard["panels"][0]["title"])
    places = [
        (x, y)
        for panel in dashboard["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) < 24
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


@pytest.mark.parametrize("language", ["influxql", "flux"])
def test_the_home_over_time_is_complete(language: str) -> None:
    """Its queries are run by tests/real/test_influxdb_queries.py."""
    dashboard = json.loads((GRAFANA / "dashboards" / f"home-over-time-{language}.json").read_bytes())
    assert dashboard["uid"] == f"ha-reconcile-home-{language}"
    assert dashboard["editable"] is False
    chosen = {"type": "influxdb", "uid": "${datasource}"}
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "influxdb")
    assert variables["site"]["datasource"] == chosen
    for panel in dashboard["panels"]:
        assert panel["datasource"] == chosen
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert all("$site" in target["query"] for target in panel["targets"])


def load(path: str) -> Any:
    return msgspec.yaml.decode((GRAFANA / "provisioning" / path).read_bytes())


def test_provisioning_finds_the_dashboard_and_its_datasource() -> None:
    (datasource,) = load("datasources/prometheus.yaml")["datasources"]
    chooser = variables_of(DASHBOARDS["ha-reconcile"])["datasource"]
    assert datasource["type"] == chooser["query"]
    assert datasource["isDefault"] is True  # what the variable starts with
    scrape = msgspec.yaml.decode((GRAFANA.parent / "prometheus" / "prometheus.yml").read_bytes())
    assert datasource["jsonData"]["timeInterval"] == scrape["global"]["scrape_interval"]
    (provider,) = load("dashboards/ha-reconcile.yaml")["providers"]
    assert provider["type"] == "file"
    assert not provider["allowUiUpdates"]


@pytest.mark.parametrize("language", ["influxql", "flux"])
def test_the_home_over_time_starts_with_the_datasource_of_its_language(language: str) -> None:
    dashboard = json.loads((GRAFANA / "dashboards" / f"home-over-time-{language}.json").read_bytes())
    [chooser] = [v for v in dashboard["templating"]["list"] if v["name"] == "datasource"]
    sources = {source["uid"]: source for source in load("datasources/influxdb.yaml")["datasources"]}
    chosen = sources[f"influxdb-{language}"]
    assert (chooser["current"]["value"], chooser["current"]["text"]) == (chosen["uid"], chosen["name"])
    assert chosen["type"] == chooser["query"]
    assert "isDefault" not in chosen
    assert (chosen["jsonData"].get("version") == "Flux") is (language == "flux")


def test_influxdbs_datasources_are_of_the_influxdb_that_compose_starts() -> None:
    services = msgspec.yaml.decode((GRAFANA.parent / "compose.yaml").read_bytes())["services"]
    given = services["influxdb"]["environment"]
    flux, influxql = load("datasources/influxdb.yaml")["datasources"]
    assert {flux["url"], influxql["url"]} == {"http://influxdb:8086"}
    assert flux["jsonData"]["organization"] == given["DOCKER_INFLUXDB_INIT_ORG"]
    assert flux["jsonData"]["defaultBucket"] == given["DOCKER_INFLUXDB_INIT_BUCKET"]
    assert influxql["jsonData"]["dbName"] == given["DOCKER_INFLUXDB_INIT_BUCKET"]
    token = f"$__file{{{given['DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE']}}}"
    assert flux["secureJsonData"] == {"token": token}
    assert influxql["jsonData"]["httpHeaderName1"] == "Authorization"
    assert influxql["secureJsonData"] == {"httpHeaderValue1": f"Token {token}"}
    assert "records_token" in services["grafana"]["secrets"]


def test_what_processes_that_share_homes_are_asked_for_is_documented() -> None:
    """Only a fleet has these series, so that no test with one process sees them."""
    known = (GRAFANA.parents[1] / "docs/reference/metrics.md").read_text(encoding="utf-8")
    asked = [(GRAFANA / "dashboards" / "fleet.json"), GRAFANA.parent / "prometheus" / "fleet-rules.yml"]
    for file in asked:
        names = set(re.findall(r"\breconcile_(?:fleet|view)_\w+", file.read_text(encoding="utf-8")))
        assert names
        assert [name for name in sorted(names) if f"`{name}`" not in known] == [], file
