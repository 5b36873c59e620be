"""ops/prometheus, as promtool judges it; every alert fires and resolves, and says where to read on."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.availability import skip_or_fail
from tests.real.prometheus import SHIPPED, PrometheusMissingError, find_tool, place_configuration

RUNBOOK = (SHIPPED.parent / "RUNBOOK.md").read_text(encoding="utf-8")
FILES = ("rules.yml", "fleet-rules.yml")  # each with its cases beside it
GENERATOR = SHIPPED.parent / "alert_rules.py"


def load(name: str) -> Any:
    return msgspec.yaml.decode((SHIPPED / name).read_bytes())


RULES = {name: [rule for group in load(name)["groups"] for rule in group["rules"]] for name in FILES}
ALERTS = [rule for name in FILES for rule in RULES[name] if "alert" in rule]
# Where the runbook is, once pyproject.toml says where the repository is.
PROJECT = tomllib.loads((SHIPPED.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
RUNBOOK_URL = f"{PROJECT['tool']['ha-reconcile']['repository']}/blob/HEAD/ops/RUNBOOK.md"


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    try:
        command = [find_tool("promtool"), *map(str, arguments)]
    except PrometheusMissingError as missing:
        skip_or_fail(str(missing))
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def test_prometheus_takes_the_configuration(tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("secret")
    placed = place_configuration(tmp_path / "prometheus", "127.0.0.1:8099", token_file)
    checked = promtool("check", "config", placed)
    assert checked.returncode == 0, checked.stderr
    for name in FILES:
        assert f"{len(RULES[name])} rules found" in checked.stdout


@pytest.mark.parametrize("name", FILES)
def test_the_rules_are_well_formed(name: str) -> None:
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", SHIPPED / name)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("name", FILES)
def test_the_alerts_fire_and_resolve_as_their_cases_say(name: str) -> None:
    checked = promtool("test", "rules", SHIPPED / name.replace(".yml", "_test.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", FILES)
def test_the_cases_are_evaluated_as_often_as_prometheus_does(name: str) -> None:
    every = load("prometheus.yml")["global"]["evaluation_interval"]
    assert load(name.replace(".yml", "_test.yml"))["evaluation_interval"] == every


def cases(alert: str) -> Iterator[list[bool]]:
    """For each test of the alert, whether it fires, in the order of time."""
    for test in (test for name in FILES for test in load(name.replace(".yml", "_test.yml"))["tests"]):
        mine = [case for case in test.get("alert_rule_test", ()) if case["alertname"] == alert]
        yield [
            bool(case.get("exp_alerts")) for case in sorted(mine, key=lambda case: seconds(case["eval_time"]))
        ]


def seconds(text: str) -> int:
    found = re.fullmatch(r"(\d+)([ms])", text)
    assert found, f"{text} is not in minutes or seconds"
    return int(found[1]) * {"m": 60, "s": 1}[found[2]]


def test_every_recording_is_tried() -> None:
    recorded = {rule["record"] for name in FILES for rule in RULES[name] if "record" in rule}
    cases_text = "".join((SHIPPED / f"{name[:-4]}_test.yml").read_text(encoding="utf-8") for name in FILES)
    used = " ".join(rule["expr"] for rule in ALERTS)
    assert [name for name in sorted(recorded) if name not in cases_text and name not in used] == []


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_every_alert_is_silent_then_fires_then_resolves_in_one_case(alert: dict[str, Any]) -> None:
    assert [False, True, False] in list(cases(alert["alert"]))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_every_alert_has_its_heading_in_the_runbook(alert: dict[str, Any]) -> None:
    name = alert["alert"]
    assert alert["annotations"]["runbook_url"] == f"{RUNBOOK_URL}#{name.lower()}"
    assert alert["labels"]["severity"] in ("critical", "warning")
    section = RUNBOOK.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    for part in ("**Means.**", "**Look.**", "**Do.**"):
        assert part in section


def test_the_runbook_has_no_other_alerts() -> None:
    assert re.findall(r"(?m)^## (Reconcile\w+)$", RUNBOOK) == [alert["alert"] for alert in ALERTS]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_every_alert_leads_to_a_dashboard(alert: dict[str, Any]) -> None:
    found = re.match(r"http://127\.0\.0\.1:3000/d/([a-z-]+)(\?|$)", alert["annotations"]["dashboard_url"])
    assert found
    folder = SHIPPED.parent / "grafana" / "dashboards"
    assert found[1] in {msgspec.json.decode(path.read_bytes())["uid"] for path in folder.iterdir()}


def copied(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(GENERATOR), *arguments, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_rules_are_copied_with_addresses_and_a_job_of_ones_own(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    links = ("--runbook", "https://wiki.example/x/RUNBOOK.md", "--grafana", "https://example.net/grafana/")
    done = copied(folder, *links, "--job", "homes")
    assert (done.returncode, done.stderr) == (0, "")
    assert promtool("check", "rules", "--lint=all", *(folder / name for name in FILES)).returncode == 0
    for name in FILES:
        text = (folder / name).read_text(encoding="utf-8")
        groups = msgspec.yaml.decode(text)["groups"]
        alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
        for alert in alerts:
            notes = alert["annotations"]
            assert notes["runbook_url"] == f"https://wiki.example/x/RUNBOOK.md#{alert['alert'].lower()}"
            assert notes["dashboard_url"].startswith("https://example.net/grafana/d/ha-reconcile")
        assert "example.org" not in "".join(str(alert) for alert in alerts)
        assert 'job="reconcile"' not in text
        assert len(alerts) == sum("alert" in rule for rule in RULES[name])


def test_a_copy_without_settings_is_what_is_shipped_and_replaces_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    assert copied(folder).returncode == 0
    for name in FILES:
        assert (folder / name).read_bytes() == (SHIPPED / name).read_bytes()
    again = copied(folder, "--job", "other")
    assert (again.returncode, again.stdout, again.stderr.count("\n")) == (73, "", 1)
    assert (folder / FILES[0]).read_bytes() == (SHIPPED / FILES[0]).read_bytes()


@pytest.mark.parametrize(
    "wrong", [("--runbook", "ops/RUNBOOK.md"), ("--grafana", 'http://a"b'), ("--job", 'a"b')]
)
def test_what_is_no_address_or_name_is_refused(tmp_path: Path, wrong: tuple[str, str]) -> None:
    refused = copied(tmp_path / "rules", *wrong)
    assert refused.returncode == 2
    assert wrong[1] in refused.stderr
    assert not (tmp_path / "rules").exists()
