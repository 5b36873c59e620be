"""README and docs/ say everything a user can set, type or be answered with, and nothing that is not there.

The reference pages are made from the code (`sh ops/docs`); here they are made again, compared, and held against what
the program itself says.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from api.app import ROUTES
from api.changes.routes import ChangesPage
from api.fleet.page import PAGES as VIEW_PAGES
from api.fleet.routes import ROUTES as VIEW_ROUTES
from api.http.problems import CURSOR_EXPIRED, HISTORY_FORGOTTEN
from api.page.routes import PAGE_ROUTES
from api.sites.app import ROUTES as SITES_ROUTES
from engine.commandline.arguments.arguments import COMMANDS
from engine.commandline.arguments.parser import build_grammar
from engine.commandline.exit_codes import TABLE
from engine.core.compare.diff import Cause
from engine.core.records.registries import REGISTRIES
from engine.core.state.intervals import AGELESS
from engine.core.state.report import Report
from engine.core.state.status import SourceStatus, Status
from engine.core.times import instant_schema
from engine.core.words import GuardName
from engine.metrics.series import Metrics
from engine.replicas.influx.schema.points import FIELD_TYPES, RunMarker, encode_marker
from engine.replicas.kafka.events import Envelope, EventSource
from engine.replicas.kafka.sites.site_status import SiteStatus, WorkerStatus
from engine.replicas.rows.columns import TABLES
from engine.settings.sections import SECRETS, SETTING_NAMES, documented_settings
from ops.answer_dictionary import CHANGE, REPORT, STREAM
from ops.data_dictionary import COLUMNS, OTHER_MEASUREMENTS, RECORD_FIELDS, SHARED
from ops.documentation import FOLDER, PAGES, site_metrics_text, view_metrics_text
from ops.kafka_dictionary import ENVELOPE, SITE, SOURCE, WORKER

ROOT = Path(__file__).parents[1]
README_LINES_MAX = 150


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


TEXTS = {
    name_of(path): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
ALL = "\n".join(TEXTS.values())
every_text = pytest.mark.parametrize("name", TEXTS)


def table(page: str, header: str) -> list[list[str]]:
    """The cells of the table on a page whose header line starts with this cell."""
    lines = TEXTS[f"docs/{page}"].split(f"\n| {header} |", 1)[1].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("\\|", "|") for cell in line.strip("|").split(" | ")])
    return rows


# The reference pages


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_matches_the_code(name: str) -> None:
    assert TEXTS[f"docs/reference/{name}"] == PAGES[name](), "it is stale: run `sh ops/docs`"


def test_no_reference_page_is_left_over() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(PAGES)


def test_every_setting_is_documented_with_its_default_and_nothing_else_is() -> None:
    assert table("reference/settings.md", "setting") == [
        [f"`{s.name}`", "all seven" if s.default == REGISTRIES else f"`{s.default!r}`", s.description]
        for s in documented_settings()
    ]


def test_every_command_and_option_is_documented_and_nothing_else_is() -> None:
    documented = [
        re.findall(r"`reconcile ?(\w*)", row[0])[0] for row in table("reference/commands.md", "command")
    ]
    assert documented == ["", *COMMANDS]
    written = re.findall(r"(?m)^\| `(-[^`]*)` \|", TEXTS["docs/reference/commands.md"])
    assert {
        word for line in written for word in re.findall(r"--?[a-z][a-z-]*", line)
    } == build_grammar().options


def test_every_exit_code_is_documented_and_nothing_else_is() -> None:
    documented = "".join(f"{code} {text}" for code, text in table("reference/exit-codes.md", "exit code"))
    assert set(re.findall(r"\b\d+\b", documented)) == set(re.findall(r"\b\d+\b", TABLE))


def test_every_route_is_documented_and_nothing_else_is() -> None:
    served = [(f"`{route.path}`", route.summary) for route in ROUTES]
    served += [(f"`{route.path}`", route.summary) for route in PAGE_ROUTES]
    extra = [("`/openapi.json`", "The contract."), ("`/metrics`", "Prometheus metrics.")]
    assert [tuple(row) for row in table("reference/http.md", "route")] == served + extra


def test_every_metric_is_documented_and_nothing_else_is() -> None:
    status = Status("home", "0", 0.0, SourceStatus("x", connected=True, last_message_at=1.0), ())
    metrics = Metrics(lambda: status, lambda: 0.0, version="0", replicas=["sqlite"], freshness=AGELESS)
    text = metrics.render("")[0].decode()
    reported = re.findall(r"(?m)^# HELP (reconcile_\w+) (.*)$", text)
    documented = table("reference/metrics.md", "metric")
    assert [(name.strip("`"), meaning) for name, _, meaning in documented] == reported


def test_every_route_and_metric_of_many_homes_is_documented() -> None:
    served = [(f"`{route.path}`", route.summary) for route in SITES_ROUTES]
    assert [tuple(row) for row in table("reference/http.md", "route of many homes")] == served
    reported = re.findall(r"(?m)^# HELP (reconcile_\w+) (.*)$", site_metrics_text())
    documented = [
        (name.strip("`"), text) for name, text in table("reference/metrics.md", "metric of many homes")
    ]
    assert documented == reported


def test_every_route_and_metric_of_a_view_is_documented() -> None:
    served = [(f"`{route.path}`", route.summary) for route in VIEW_ROUTES]
    served += [(f"`{page.path}`", page.summary) for page in VIEW_PAGES]
    assert [tuple(row) for row in table("reference/http.md", "route of a view")] == served
    reported = re.findall(r"(?m)^# HELP (reconcile_\w+) (.*)$", view_metrics_text())
    documented = [(name.strip("`"), text) for name, text in table("reference/metrics.md", "metric of a view")]
    assert documented == reported


def test_every_column_is_explained_and_nothing_else_is() -> None:
    explained = {name: set(columns) for name, columns in COLUMNS.items()}
    stored = {table_.name: set(table_.sql_names) for table_ in TABLES.values()}
    assert {name: columns - stored[name] for name, columns in explained.items()} == {
        name: set() for name in stored
    }
    unexplained = {name: columns - explained[name] - set(SHARED) for name, columns in stored.items()}
    assert unexplained == {name: set() for name in stored}
    assert set(SHARED) <= set().union(*stored.values())


def test_every_field_of_a_report_and_of_a_change_is_explained_and_nothing_else_is() -> None:
    _, report = msgspec.json.schema_components([Report], schema_hook=instant_schema)
    _, change = msgspec.json.schema_components([ChangesPage])
    for components, meanings in ((report, REPORT), (change, CHANGE)):
        structures = {name: set(c["properties"]) for name, c in components.items() if "properties" in c}
        assert {name: set(fields) for name, fields in meanings.items()} == structures
    assert {event for event, _, _ in STREAM} == {"change", "reset", "bye"}


def test_every_field_in_influxdb_is_explained_and_nothing_else_is() -> None:
    assert list(RECORD_FIELDS) == list(FIELD_TYPES)
    line = encode_marker("home", "0", RunMarker(time_ns=1, run="r", state="commit", list_order="{}")).decode()
    written = re.findall(r"[ ,](\w+)=", line.replace(",site=home", ""))
    assert sorted(OTHER_MEASUREMENTS["ha_run"][2]) == sorted(written)


def test_every_field_in_kafka_is_explained_and_nothing_else_is() -> None:
    assert list(ENVELOPE) == [field.name for field in msgspec.structs.fields(Envelope)]
    assert list(SOURCE) == [field.name for field in msgspec.structs.fields(EventSource)]
    assert list(SITE) == [field.name for field in msgspec.structs.fields(SiteStatus)]
    assert list(WORKER) == [field.name for field in msgspec.structs.fields(WorkerStatus)]


# What people wrote


def test_readme_is_a_short_read() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= README_LINES_MAX


def test_a_reader_of_readme_finds_every_page() -> None:
    found, open_ = set[str](), ["README.md"]
    while open_:
        name = open_.pop()
        found.add(name)
        folder = (ROOT / name).parent
        linked = {name_of((folder / link).resolve()) for link in local_links(TEXTS[name])}
        open_ += sorted((linked & TEXTS.keys()) - found)
    assert sorted(TEXTS.keys() - found) == []


def local_links(text: str) -> Iterable[str]:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    return [link for link in links if not link.startswith("http")]


@every_text
def test_every_option_in_the_text_exists(name: str) -> None:
    ours = re.sub(
        r"(?m)^.*(?:python3? -|ops/\w+\.py|pip install|pipx |datasette |docker |git |openssl |kafka-).*$",
        "",
        TEXTS[name],
    )
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours)) <= build_grammar().options


def test_every_setting_in_the_text_exists() -> None:
    names = {*SETTING_NAMES, *SECRETS}
    sections = "|".join({name.partition(".")[0] for name in names})
    dotted = set(re.findall(rf"`((?:{sections})\.[a-z_]+)`", ALL))
    variables = re.findall(r"\bRECONCILE_([A-Z]+__[A-Z_]+)", ALL)
    assert dotted
    assert variables
    written = dotted | {variable.lower().replace("__", ".", 1) for variable in variables}
    assert written - names <= {"section.key"}


def test_every_command_in_the_text_exists() -> None:
    typed = re.findall(r"(?m)(?:`|^\$ |^)(?:sh ops/run|reconcile) ([a-z]+)", ALL)
    assert "doctor" in typed
    assert set(typed) <= set(COMMANDS)


def test_every_path_and_metric_in_the_text_exists() -> None:
    paths = {route.path.replace(":path}", "}") for route in ROUTES}
    paths |= {"/openapi.json", "/metrics"} | {route.path for route in PAGE_ROUTES}
    paths |= {row[0].strip("`") for row in table("reference/http.md", "route of many homes")}
    paths |= {row[0].strip("`") for row in table("reference/http.md", "route of a view")}
    paths |= {"/api/sites/{site}/devices", "/sites/{site}/"}
    written = {path.replace(":path", "") for path in re.findall(r"`(/(?:api/|[a-z]+z?\b)[^`?*]*)", ALL)}
    assert written <= paths | {"/run/secrets/source_token", CURSOR_EXPIRED, HISTORY_FORGOTTEN}
    metrics = {row[0].strip("`") for row in table("reference/metrics.md", "metric")}
    metrics |= {row[0].strip("`") for row in table("reference/metrics.md", "metric of many homes")}
    metrics |= {row[0].strip("`") for row in table("reference/metrics.md", "metric of a view")}
    tables = {row[0].strip("`") for row in table("reference/sqlite.md", "table")}
    recorded = re.compile(r"\b[a-z_]+:reconcile_\w+:\w+")
    assert set(re.findall(r"\b(reconcile_[a-z_]+[a-z])\b", recorded.sub("", ALL))) <= metrics | tables
    rules = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "ops" / "prometheus").iterdir())
    assert set(recorded.findall(ALL)) <= set(re.findall(r"(?m)^ +- record: (\S+)$", rules))


def test_every_guard_and_cause_is_explained() -> None:
    guards = [name for row in table("explanation.md", "guard") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(guards) == sorted(GuardName)
    allowed = [
        name
        for row in table("how-to/allow-a-held-delete.md", "guard")
        for name in re.findall(r"`(\w+)`", row[0])
    ]
    assert sorted(allowed) == sorted(GuardName)
    assert sorted(row[0].strip("`") for row in table("explanation.md", "cause")) == sorted(Cause)


def test_every_message_in_troubleshooting_exists_in_the_code() -> None:
    said = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "engine").rglob("*.py")))
    said += "Connection refused"  # the system's own words
    messages = [m for row in table("troubleshooting.md", "message") for m in re.findall(r"`([^`]*)`", row[0])]
    assert len(messages) > 5
    parts = [part.strip() for message in messages for part in message.split("…")]
    assert [part for part in parts if part not in said] == []


@every_text
def test_every_link_leads_somewhere(name: str) -> None:
    broken = []
    for link in re.findall(r"(?:\]\(|src=\"|srcset=\")([^)\"]+)", TEXTS[name]):
        if link.startswith("http"):
            continue
        path, _, heading = link.partition("#")
        target = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        if not target.exists() or (heading and heading not in headings(TEXTS[name_of(target)])):
            broken.append(link)
    assert broken == []


def headings(text: str) -> set[str]:
    """The anchors that a Markdown page has."""
    return {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }


@every_text
def test_every_file_that_the_text_names_exists(name: str) -> None:
    named = set(re.findall(r"`((?:docs|engine|ops|tests)/[\w./-]+|[A-Z]+\.md)`", TEXTS[name]))
    assert [file for file in named if not (ROOT / file).exists()] == []


def test_the_designs_table_of_places_names_existing_files_and_functions() -> None:
    """Each row of "Where is what" names files that there are, and functions that are in one of them."""
    design = (ROOT / "engine" / "DESIGN.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (where [^|]*\?) \| (.*) \|$", design)
    assert len(rows) == 6
    for question, answer in rows:
        named = re.findall(r"`([^`]+)`", answer)
        files = [ROOT / "engine" / name for name in named if name.endswith(".py")]
        assert files, question
        text = "".join(file.read_text(encoding="utf-8") for file in files)
        assert [n for n in named if not n.endswith(".py") and f"def {n}(" not in text] == [], question
