"""Alerts and dashboard of many homes, over a real Prometheus that scrapes a service of homes in trouble."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.availability import skip_or_fail
from tests.real.prometheus import (
    SHIPPED,
    Prometheus,
    PrometheusMissingError,
    find_tool,
    place_configuration,
    running_prometheus,
)
from tests.real.test_monitoring import substituted
from tests.service_process import wait_until
from tests.sites.test_serving import Homes

pytestmark = pytest.mark.real_server

DASHBOARD = json.loads((SHIPPED.parent / "grafana" / "dashboards" / "fleet.json").read_bytes())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It has seen two homes in sync, one of them cut off and back, one refused, one paused and one with a broken file."""
    try:
        find_tool("prometheus")
    except PrometheusMissingError as missing:
        skip_or_fail(str(missing))
    folder = tmp_path_factory.mktemp("fleet")
    homes = Homes(folder)
    try:
        for name in ("mill", "lake", "refuse", "rest"):
            homes.add(name)
        homes.add("broken", "nonsense [")
        homes.played.obey("fault refuse refuse")
        pause = [sys.executable, "-m", "engine", "site", "pause", "rest"]
        subprocess.run(pause, cwd=folder, check=True, capture_output=True)
        homes.serve()
        token = folder / "token"
        token.write_text("needs-none")
        configuration = place_configuration(
            folder / "prometheus", homes.address.removeprefix("http://"), token
        )
        with running_prometheus(configuration) as running:
            _bring_into_trouble(homes, running)
            yield running
    finally:
        if homes.service is not None:
            homes.service.process.kill()
            homes.service.process.communicate()
        homes.played.close()


def _bring_into_trouble(homes: Homes, prometheus: Prometheus) -> None:
    for name in ("mill", "lake"):
        homes.wait_for(name, status="in_sync")
    in_sync = "sum(reconcile_site_in_sync) == 2"
    wait_until(lambda: prometheus.query(in_sync) != {}, "two homes in sync")
    homes.played.obey("rename mill 1 Renamed")
    homes.played.obey("cut lake")
    changed = "sum(reconcile_lag_seconds_count) > 0"
    wait_until(lambda: prometheus.query(changed) != {}, "a change")
    wait_until(lambda: prometheus.query(in_sync) != {}, "two homes in sync again")


def found_by(prometheus: Prometheus, expression: str) -> dict[frozenset[tuple[str, str]], float]:
    """What the query finds, as soon as it finds something."""
    wait_until(lambda: prometheus.query(expression) != {}, f"{expression} finds something")
    return prometheus.query(expression)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: f"{panel['id']}-{panel['title']}")
def test_every_query_has_something_to_show(prometheus: Prometheus, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        expression = substituted(target["expr"])
        if "drift_records" in expression and "== 0" in expression:
            continue  # nothing is known of what differs in the homes that are away
        if re.search("reconcile_(fleet|view)_", expression):
            continue  # of processes that share homes through Kafka; tests/ops/test_grafana_files.py knows the names
        found = found_by(prometheus, expression)
        labels = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
        assert all({label for label, _ in series} >= set(labels) for series in found), "the legend has gaps"


def test_the_homes_are_distinguished(prometheus: Prometheus) -> None:
    stages = {dict(k)["stage"]: v for k, v in prometheus.query("reconcile_sites").items()}
    assert stages == {"kept": 3, "paused": 1, "invalid": 1, "waiting": 0, "failed": 0, "unconfigured": 0}
    named = {dict(series)["site"] for series in prometheus.query("reconcile_site_in_sync")}
    assert named == {"mill", "lake", "refuse", "broken"}  # and not the one that is paused


def test_prometheus_evaluates_every_rule_and_a_refused_home_has_one_pending_alert(
    prometheus: Prometheus,
) -> None:
    def rules() -> list[dict[str, Any]]:
        groups = prometheus.ask("rules")["groups"]
        return [rule for group in groups if "fleet" in group["name"] for rule in group["rules"]]

    wait_until(lambda: all(rule["health"] != "unknown" for rule in rules()), "evaluated")
    assert {rule["health"] for rule in rules()} == {"ok"}

    def pending() -> dict[str, list[str]]:
        return {
            rule["name"]: [alert["labels"].get("site", "") for alert in rule["alerts"]]
            for rule in rules()
            if rule.get("alerts")
        }

    wanted = {"ReconcileSiteDisconnected": ["refuse"], "ReconcileSitesInvalid": ["home"]}
    wait_until(lambda: pending() == wanted, "the alerts of these homes and no others")
