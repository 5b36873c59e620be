"""README says everything a user can set, type or be answered with, and nothing that is not there."""

import re
from pathlib import Path

from api.app import ROUTES
from api.page.routes import PAGE_ROUTES
from engine.commandline.exit_codes import TABLE
from engine.commandline.parser import COMMANDS, build_grammar
from engine.core.home.record import REGISTRIES
from engine.core.state.pace import AGELESS
from engine.core.state.status import SourceStatus, Status
from engine.metrics import Metrics
from engine.settings import SECRETS, SETTING_NAMES, documented_settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def table(header: str) -> list[list[str]]:
    """The cells of the table whose header line starts with this cell."""
    lines = README.split(f"\n| {header} |", 1)[1].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def test_every_setting_is_documented_with_its_default_and_nothing_else_is() -> None:
    assert table("setting") == [
        [f"`{s.name}`", "`all seven`" if s.default == REGISTRIES else f"`{s.default!r}`", s.description]
        for s in documented_settings()
    ]


def test_every_command_is_documented_and_nothing_else_is() -> None:
    documented = [re.findall(r"`reconcile ?(\w*)", row[0])[0] for row in table("command")]
    assert sorted(documented) == sorted(["", *COMMANDS])


def test_every_exit_code_is_documented_and_nothing_else_is() -> None:
    documented = {int(code) for row in table("exit code") for code in row[0].split(",")}
    assert documented == {int(code) for code in re.findall(r"\b\d+\b", TABLE)}


def test_every_route_is_documented_and_nothing_else_is() -> None:
    served = [(f"`{route.path}`", route.summary) for route in ROUTES]
    served += [(f"`{route.path}`", route.summary) for route in PAGE_ROUTES]
    extra = [("`/openapi.json`", "The contract."), ("`/metrics`", "Prometheus metrics.")]
    assert [tuple(row) for row in table("route")] == served + extra


def test_every_metric_is_documented_and_nothing_else_is() -> None:
    status = Status("home", "0", 0.0, SourceStatus("x", connected=True, last_message_at=1.0), ())
    metrics = Metrics(lambda: status, lambda: 0.0, version="0", replicas=["sqlite"], freshness=AGELESS)
    text = metrics.render("")[0].decode()
    told = re.findall(r"(?m)^# HELP (reconcile_\w+) (.*)$", text)
    assert [(row[0].strip("`"), row[1]) for row in table("metric")] == told


def test_every_option_in_readme_exists() -> None:
    ours = re.sub(r"(?m)^.*python3? -.*$", "", README)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours)) <= build_grammar().options


def test_every_setting_in_the_text_exists() -> None:
    names = {*SETTING_NAMES, *SECRETS}
    sections = "|".join({name.partition(".")[0] for name in names})
    dotted = set(re.findall(rf"`((?:{sections})\.[a-z_]+)`", README))
    variables = re.findall(r"\bRECONCILE_([A-Z]+__[A-Z_]+)", README)
    assert dotted
    assert variables
    written = dotted | {variable.lower().replace("__", ".", 1) for variable in variables}
    assert written - names <= {"section.key"}


def test_every_command_in_the_text_exists() -> None:
    typed = re.findall(r"(?m)(?:`|^\$ |^)(?:sh ops/run|reconcile) ([a-z]+)", README)
    assert "doctor" in typed
    assert set(typed) <= set(COMMANDS)


def test_every_path_and_metric_in_the_text_exists() -> None:
    paths = {route.path.replace("{key:path}", "{key}") for route in ROUTES}
    paths |= {"/openapi.json", "/metrics"} | {route.path for route in PAGE_ROUTES}
    written = {path.replace(":path", "") for path in re.findall(r"`(/(?:api/|[a-z]+z?\b)[^`?*]*)", README)}
    assert written <= paths | {"/run/secrets/source_token"}
    metrics = {row[0].strip("`") for row in table("metric")}
    assert set(re.findall(r"\b(reconcile_[a-z_]+[a-z])\b", README)) <= metrics


def test_every_link_leads_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in README.splitlines()
        if line.startswith("#")
    }
    links = re.findall(r"\]\(([^)]+)\)", README)
    local = [link for link in links if not link.startswith("http")]
    assert [link for link in local if link.startswith("#") and link[1:] not in headings] == []
    assert [link for link in local if not link.startswith("#") and not (ROOT / link).exists()] == []


def test_every_file_that_readme_names_exists() -> None:
    named = set(re.findall(r"`((?:engine|ops|tests)/[\w./-]+|[A-Z]+\.md)`", README))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
