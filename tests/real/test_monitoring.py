"""Alerts and dashboard of ops/ over a real Prometheus that scrapes a real service in trouble.

The home has, one after the other: a change that is written, another program's edit that is repaired, a foreign
row, and so many removals that a guard holds them. Then every query must have something to show.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import pytest

from tests.availability import skip_or_fail
from tests.commandline.homes import Home
from tests.real.prometheus import (
    SHIPPED,
    Prometheus,
    PrometheusMissingError,
    find_tool,
    place_configuration,
    running_prometheus,
)
from tests.service_process import Service, get, wait_until

pytestmark = pytest.mark.real_server

DASHBOARD = json.loads((SHIPPED.parent / "grafana" / "dashboards" / "ha-reconcile.json").read_bytes())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TOKEN = "scraped-with-a-token"
REMOVED = 60  # so many that the log has only their number, and does not fill a pipe that is not read


class Monitored(NamedTuple):
    prometheus: Prometheus
    address: str
    shown_at_first: dict[str, str]  # by replica, before the trouble

    def get(self, path: str) -> Any:
        return get(self.address, path, TOKEN)


def found_by(monitored: Monitored, expression: str) -> dict[frozenset[tuple[str, str]], float]:
    """What the query finds; a scrape that came too late makes it find nothing until the next."""
    found: dict[frozenset[tuple[str, str]], float] = {}

    def has_found() -> bool:
        found.update(monitored.prometheus.query(expression))
        return found != {}

    wait_until(has_found, f"{expression} finds something")
    return found


def by(monitored: Monitored, expression: str, *labels: str) -> dict[Any, float]:
    """Values by these labels alone."""
    found = found_by(monitored, expression)
    return {tuple(dict(series).get(label) for label in labels): value for series, value in found.items()}


def shown(monitored: Monitored, panel: dict[str, Any]) -> dict[str, str]:
    """The word that the panel shows for each replica."""
    words = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    codes = by(monitored, substituted(panel["targets"][0]["expr"]), "replica")
    return {replica: words[str(int(code))]["text"] for (replica,), code in codes.items()}


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    """A service in trouble, as a Prometheus saw it get there."""
    try:
        find_tool("prometheus")
    except PrometheusMissingError as missing:
        skip_or_fail(str(missing))
    folder = tmp_path_factory.mktemp("monitored")
    home, token_file = Home(folder / "home"), folder / "token"
    token_file.write_text(TOKEN)
    service = Service(
        folder,
        source=home.source,
        RECONCILE_HTTP__TOKEN_FILE=str(token_file),
        RECONCILE_LOOP__POLL_SECONDS="0.2",
        RECONCILE_PLAN__DELETE_CONFIRM_SECONDS="0",
    )
    try:
        address = service.wait_until_serving()
        target = address.removeprefix("http://")
        with running_prometheus(place_configuration(folder / "prometheus", target, token_file)) as prometheus:
            made = Monitored(prometheus, address, {})
            in_sync = 'reconcile_replica_status{status="in_sync"} == 1'
            wait_until(lambda: len(prometheus.query(in_sync)) == 2, "both replicas in sync")
            made.shown_at_first.update(shown(made, PANELS[0]))
            _bring_into_trouble(made, home, folder / "rows.db")
            yield made
    finally:
        service.process.kill()
        service.process.communicate()


def _bring_into_trouble(made: Monitored, home: Home, rows: Path) -> None:
    device_id = home.rename_device("Renamed in Home Assistant")
    changed = "reconcile_lag_seconds_count > 0"
    wait_until(lambda: len(made.prometheus.query(changed)) == 2, "both replicas have the new name")
    with closing(apsw.Connection(str(rows))) as other:
        other.set_busy_timeout(60_000)
        other.execute("UPDATE devices SET name_by_user = 'Mocked' WHERE device_id = ?", (device_id,))
        other.execute(
            "INSERT INTO devices (device_id, name) VALUES ('a0d7b954f1b8c9e2f3a4b5c6d7e8f9a0', 'Sun')"
        )
    wait_until(lambda: made.prometheus.query("reconcile_drift_found_total > 0") != {}, "healed")
    home.edit("entity_registry_list", lambda entities: entities.__delitem__(slice(REMOVED)))
    blocked = 'reconcile_replica_status{status="blocked"} == 1'
    wait_until(
        lambda: len(made.prometheus.query(blocked)) == 2, "a guard holds the removals in both replicas"
    )


def substituted(expression: str) -> str:
    """With the dashboard's variables as Grafana fills them in for "All"; the interval holds the whole test."""
    values = {"$__rate_interval": "30m", "$job": ".+", "$instance": ".+", "$site": ".*"}
    for name, value in values.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: f"{panel['id']}-{panel['title']}")
def test_every_query_of_the_dashboard_has_something_to_show(
    monitored: Monitored, panel: dict[str, Any]
) -> None:
    for target in panel["targets"]:
        found = found_by(monitored, substituted(target["expr"]))
        labels = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
        assert all({label for label, _ in series} >= set(labels) for series in found), "the legend has gaps"


def test_the_top_row_matches_the_api(monitored: Monitored) -> None:
    top = {panel["title"]: panel for panel in PANELS[:5]}
    said = {
        title: by(monitored, substituted(panel["targets"][0]["expr"]), "replica")
        for title, panel in top.items()
    }
    status = monitored.get("/api/status")
    words = shown(monitored, top["In sync?"])
    assert words == {replica["replica"]: replica["status"] for replica in status["replicas"]}
    assert words == {"sqlite": "blocked", "history": "blocked"}
    assert monitored.shown_at_first == {"sqlite": "in sync", "history": "in sync"}
    for replica in status["replicas"]:
        since = datetime.fromisoformat(replica["since"]).timestamp()
        assert said["Since"][replica["replica"],] / 1000 == pytest.approx(since, abs=0.01)
        synced = datetime.fromisoformat(replica["synced_at"]).timestamp()
        assert 0 < said["Lag"][replica["replica"],] <= time.time() - synced
    assert list(said["Home Assistant"].values()) == [1]
    # The deletes, the foreign row, and the rows that keep their number of entities while those deletes are held.
    left = by(monitored, "reconcile_drift_records > 0", "replica", "kind")
    differing = REMOVED + 1 + left["sqlite", "stale"]
    assert list(said["Records that differ"].values()) == [status["differing"]] == [differing]


def test_live_drift_is_shown_by_kind(monitored: Monitored) -> None:
    left = by(monitored, "reconcile_drift_records > 0", "replica", "kind")
    assert 0 < left.pop(("sqlite", "stale")) <= REMOVED  # devices whose entities are to be deleted
    assert left == {
        ("sqlite", "orphaned"): REMOVED,
        ("sqlite", "foreign"): 1,
        ("history", "orphaned"): REMOVED,
    }
    assert by(monitored, "reconcile_guard_blocking > 0", "guard") == {("delete_ratio",): 1}


def test_the_variables_find_the_service(monitored: Monitored) -> None:
    wanted = {"job": "reconcile", "instance": monitored.address.removeprefix("http://"), "site": "home"}
    for name, value in wanted.items():
        found = monitored.prometheus.ask(f"label/{name}/values", **{"match[]": "reconcile_build_info"})
        assert found == [value]


@pytest.mark.parametrize("name", ["Changes written", "Undone edits of others", "Guards"])
def test_events_are_annotated(monitored: Monitored, name: str) -> None:
    (mark,) = [mark for mark in DASHBOARD["annotations"]["list"] if mark["name"] == name]
    found = found_by(monitored, substituted(mark["expr"]))
    labels = set(re.findall(r"\{\{(\w+)\}\}", mark["textFormat"]))
    assert all({label for label, _ in series} >= labels for series in found)


def test_prometheus_evaluates_every_rule_and_every_series_in_them_exists(
    monitored: Monitored,
) -> None:
    def rules() -> list[dict[str, Any]]:
        groups = monitored.prometheus.ask("rules")["groups"]
        return [rule for group in groups if "fleet" not in group["name"] for rule in group["rules"]]

    wait_until(lambda: all(rule["health"] != "unknown" for rule in rules()), "evaluated")
    assert {rule["health"] for rule in rules()} == {"ok"}
    selectors = {
        found
        for rule in rules()
        for found in re.findall(r"(?<!:)\breconcile_\w+(?:\{[^}]*\})?", rule["query"])
    }
    assert selectors
    for selector in selectors:
        found_by(monitored, selector)
