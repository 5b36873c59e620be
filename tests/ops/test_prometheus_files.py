"""ops/prometheus, as promtool judges it; every alert fires and resolves, and says where to read on."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.availability import skip_or_fail
from tests.real.prometheus import SHIPPED, PrometheusMissingError, find_tool, place_configuration

RUNBOOK = (SHIPPED.parent / "RUNBOOK.md").read_text(encoding="utf-8")


def load(name: str) -> Any:
    return msgspec.yaml.decode((SHIPPED / name).read_bytes())


ALERTS = [rule for group in load("rules.yml")["groups"] for rule in group["rules"]]


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
    assert f"{len(ALERTS)} rules found" in checked.stdout


def test_the_alerts_are_well_formed() -> None:
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", SHIPPED / "rules.yml")
    assert checked.returncode == 0, checked.stderr


def test_the_alerts_fire_and_resolve_as_their_cases_say() -> None:
    checked = promtool("test", "rules", SHIPPED / "rules_test.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def cases(alert: str) -> Iterator[list[bool]]:
    """For each test of the alert, whether it fires, in the order of time."""
    for test in load("rules_test.yml")["tests"]:
        mine = [case for case in test["alert_rule_test"] if case["alertname"] == alert]
        yield [
            bool(case.get("exp_alerts")) for case in sorted(mine, key=lambda case: minutes(case["eval_time"]))
        ]


def minutes(text: str) -> int:
    found = re.fullmatch(r"(\d+)m", text)
    assert found, f"{text} is not in minutes"
    return int(found[1])


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_every_alert_is_silent_then_fires_then_resolves_in_one_case(alert: dict[str, Any]) -> None:
    assert [False, True, False] in list(cases(alert["alert"]))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_every_alert_has_its_heading_in_the_runbook(alert: dict[str, Any]) -> None:
    name = alert["alert"]
    assert alert["annotations"]["runbook_url"] == f"ops/RUNBOOK.md#{name.lower()}"
    assert alert["labels"]["severity"] in ("critical", "warning")
    section = RUNBOOK.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    for part in ("**Means.**", "**Look.**", "**Do.**"):
        assert part in section


def test_the_runbook_has_no_other_alerts() -> None:
    assert re.findall(r"(?m)^## (Reconcile\w+)$", RUNBOOK) == [alert["alert"] for alert in ALERTS]
