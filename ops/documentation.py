"""The reference pages below docs/reference and the manual page, made from the code: `sh ops/docs` writes them.

Nothing here lists a setting, a route or a column itself, so a page cannot differ from the program.
`tests/test_documented.py` makes each page again and fails when it is stale.
"""

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import msgspec
from prometheus_client import CollectorRegistry, generate_latest

from api.app import ROUTES
from api.fleet.page import PAGES as VIEW_PAGES
from api.fleet.ports import Standing
from api.fleet.routes import ROUTES as VIEW_ROUTES
from api.http.openapi import make_document
from api.page.routes import PAGE_ROUTES
from api.sites.app import ROUTES as SITES_ROUTES
from engine.commandline.arguments.arguments import COMMANDS
from engine.commandline.arguments.parser import build_grammar
from engine.commandline.exit_codes import TABLE
from engine.core.records.registries import REGISTRIES
from engine.core.state.intervals import AGELESS
from engine.core.state.status import SourceStatus, Status
from engine.fleet_view.metrics import Totals, ViewMetrics
from engine.metrics.series import Metrics
from engine.replicas.influx.schema.points import FIELD_TYPES, MEASUREMENTS
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.schema import ensure_schema
from engine.settings.sections import SECRETS, documented_settings
from engine.sites.metrics import LoopLag, SiteMetrics
from engine.sites.sharing.metrics import FleetMetrics
from engine.sites.sharing.status_exchange import ExchangeState
from ops.advice_parts import advice_parts
from ops.answer_pages import events_page, kind_of, report_page
from ops.data_dictionary import COLUMNS, OTHER_MEASUREMENTS, OWN_TABLES, RECORD_FIELDS, SHARED
from ops.kafka_dictionary import kafka_page
from ops.man_page import man_page
from ops.markdown import page, table

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
MAN_PAGE = ROOT / "ops" / "man" / "reconcile.1"
EXTRA_ROUTES = (("/openapi.json", "The contract."), ("/metrics", "Prometheus metrics."))


def settings_page() -> str:
    """Every setting and secret."""
    rows = [
        (
            f"`{s.name}`",
            "all seven" if s.default == REGISTRIES else f"`{s.default!r}`",
            s.description,
        )
        for s in documented_settings()
    ]
    secrets = ", ".join(f"`{name}`" for name in sorted(SECRETS))
    return page(
        "Settings",
        "A setting comes from a flag, the environment (`RECONCILE_SECTION__KEY`), `reconcile.toml` (or `--config FILE`,\n"
        "`$RECONCILE_CONFIG`), or its default, in this order. An empty variable counts as not set; a switch is `true`,\n"
        "`yes`, `on`, `1` or their opposites. `reconcile config show` prints each value and where it comes from.",
        table(("setting", "default", "meaning"), rows),
        "## Secrets",
        f"These are never flags and never in the settings file: {secrets}. Each comes from the file that\n"
        "`…_file` names, its own variable (`RECONCILE_SOURCE__TOKEN`), systemd's `$CREDENTIALS_DIRECTORY/source_token`,\n"
        "or `/run/secrets/source_token`; Home Assistant's token also from `$SUPERVISOR_TOKEN`.",
        "## Modes of files",
        "Under any umask, files with the home's inventory (rows, history, outbox, pass cache, saved plans) are readable only by their\n"
        "owner (mode 0600), a metrics file by all (0644). An adopted database keeps its mode. Keep stores in a folder that only you\n"
        "can write.",
    )


def commands_page() -> str:
    """Every command with its options."""
    grammar = build_grammar()
    parts = [
        "`reconcile` alone makes one pass. `reconcile COMMAND --help` prints the same as below.",
        table(
            ("command", "what it does"),
            [
                ("`reconcile`", "one pass: compare with Home Assistant, and write what differs"),
                *((f"`reconcile {name}`", text) for name, text in COMMANDS.items()),
            ],
        ),
        "## `reconcile`",
        _options(grammar.parser),
    ]
    for name in COMMANDS:
        parts += [f"## `reconcile {name}`", _options(grammar.commands[name])]
    return page("Commands", *parts)


def _options(parser: argparse.ArgumentParser) -> str:
    rows: list[tuple[str, str]] = []
    nested: list[str] = []
    for action in parser._actions:  # noqa: SLF001  (argparse has no other way to ask)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            if parser.prog != "reconcile":
                for name, inner in action.choices.items():
                    nested += [f"### `{parser.prog} {name}`", _options(inner)]
            continue
        takes = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
        written = ", ".join(action.option_strings) or str(takes)
        if action.option_strings and takes:
            written += f" {takes}"
        rows.append((f"`{written}`", str(action.help or "")))
    return "\n\n".join([table(("option", "meaning"), rows), *nested])


def exit_codes_page() -> str:
    """Every exit code."""
    rows: list[tuple[str, str]] = []
    for line in TABLE.splitlines()[1:]:
        code, text = re.match(r"  (\d*) *(.*)", line).groups()  # type: ignore[union-attr]
        if code:
            rows.append((f"`{code}`", text))
        else:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {text}")
    return page("Exit codes", table(("exit code", "meaning"), rows))


def http_page() -> str:
    """Every route."""
    rows = [(f"`{r.path}`", r.summary) for r in ROUTES]
    rows += [(f"`{r.path}`", r.summary) for r in PAGE_ROUTES]
    rows += [(f"`{path}`", summary) for path, summary in EXTRA_ROUTES]
    document = msgspec.json.decode(make_document(ROUTES))
    queries = []
    for path, methods in document["paths"].items():
        for parameter in methods["get"]["parameters"]:
            if parameter["in"] == "query":
                values = (f"`{path}`", f"`{parameter['name']}`", kind_of(parameter["schema"]))
                queries.append((*values, parameter.get("description", "")))
    of_view = [(f"`{r.path}`", r.summary) for r in VIEW_ROUTES]
    of_view += [(f"`{p.path}`", p.summary) for p in VIEW_PAGES]
    return page(
        "HTTP API and page",
        "All routes answer GET and HEAD, and only read. `/openapi.json` has the shape of every answer. An unknown query\n"
        "parameter is refused with 400 (`/metrics` reads none); an error is `application/problem+json`.",
        table(("route", "what it answers"), rows),
        "## Query parameters",
        table(("route", "parameter", "type", "meaning"), queries),
        "## Many homes",
        "With `sites.directory` the service answers these, and the routes above below each home: `/api/devices` as\n"
        "`/api/sites/{site}/devices`, the page at `/sites/{site}/`. Their parameters are in its `/openapi.json`.",
        table(("route of many homes", "what it answers"), [(f"`{r.path}`", r.summary) for r in SITES_ROUTES]),
        "## A view of a fleet",
        "`reconcile fleet view` answers these, and `/openapi.json` and `/metrics`. Their parameters are in its `/openapi.json`.",
        table(("route of a view", "what it answers"), of_view),
    )


def metrics_page() -> str:
    """Every series of our own."""
    exported = re.findall(r"(?m)^# HELP (reconcile_\w+) (.*)\n# TYPE \S+ (\w+)$", _metrics_text())
    of_sites = re.findall(r"(?m)^# HELP (reconcile_\w+) (.*)$", site_metrics_text())
    of_view = re.findall(r"(?m)^# HELP (reconcile_\w+) (.*)$", view_metrics_text())
    return page(
        "Metrics",
        "`/metrics` has these, beside those of the process and of Python. Sync lag is\n"
        "`time() - reconcile_synced_timestamp_seconds`: a watermark that stops moving when looking stops. A time that\n"
        "never was has no series.",
        table(("metric", "type", "meaning"), [(f"`{name}`", kind, text) for name, text, kind in exported]),
        "## Many homes",
        "With `sites.directory` there are these instead of the gauges above; what is counted is counted over all homes.",
        table(("metric of many homes", "meaning"), [(f"`{name}`", text) for name, text in of_sites]),
        "## A view of a fleet",
        "`reconcile fleet view` has these, and counts requests as above.",
        table(("metric of a view", "meaning"), [(f"`{name}`", text) for name, text in of_view]),
    )


def site_metrics_text() -> str:
    """The series of many homes."""
    registry = CollectorRegistry()
    registry.register(SiteMetrics(lambda: (), lambda: 0.0, "auto", LoopLag()))
    registry.register(FleetMetrics(lambda: ExchangeState(False, None, 0)))
    return generate_latest(registry).decode()


def view_metrics_text() -> str:
    """The series of a fleet view."""
    registry = CollectorRegistry()
    registry.register(ViewMetrics(Standing, lambda: Totals({}, 0, {})))
    return generate_latest(registry).decode()


def _metrics_text() -> str:
    status = Status("home", "0", 0.0, SourceStatus("x", connected=True, last_message_at=1.0), ())
    metrics = Metrics(lambda: status, lambda: 0.0, version="0", replicas=["sqlite"], freshness=AGELESS)
    return metrics.render("")[0].decode()


def what_to_do_page() -> str:
    """Every verdict and every guard, and what to do about it."""
    return page("What it means, and what to do", *advice_parts())


def sqlite_page() -> str:
    """Every table and column of the SQLite file."""
    parts = []
    for table_ in sorted(TABLES.values(), key=lambda t: list(COLUMNS).index(t.name)):
        rows = [
            (f"`{c.sql}`", c.type, COLUMNS[table_.name].get(c.sql) or SHARED[c.sql]) for c in table_.columns
        ]
        parts += [f"## `{table_.name}`", table(("column", "type", "meaning"), rows)]
    own = [(f"`{name}`", ", ".join(columns), OWN_TABLES[name]) for name, columns in _own_tables()]
    return page(
        "SQLite file",
        "Any program may read the file at any time. NULL means that Home Assistant says nothing. A BOOLEAN is 0 or 1, a\n"
        "DATETIME is text such as `2026-11-23 15:52:22.414000` in UTC.",
        *parts,
        "## Tables of the program itself",
        "They may change with any release; read the tables above instead.",
        table(("table", "columns", "meaning"), own),
    )


def _own_tables() -> Iterator[tuple[str, list[str]]]:
    connection = apsw.Connection(":memory:")
    ensure_schema(connection, "sqlite")
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'reconcile%'"
    )
    for (name,) in sorted(names.fetchall()):
        columns = connection.execute("SELECT name FROM pragma_table_info(?)", (name,)).fetchall()
        yield str(name), [f"`{column}`" for (column,) in columns]
    connection.close()


def influxdb_page() -> str:
    """Every measurement and field in InfluxDB."""
    parts = []
    for name, (what, tags, fields) in OTHER_MEASUREMENTS.items():
        rows = [(f"`{field}`", text) for field, text in fields.items()]
        parts += [f"## `{name}`", f"A point: {what}. Tags: {', '.join(f'`{tag}`' for tag in tags)}."]
        parts.append(table(("field", "meaning"), rows))
    return page(
        "InfluxDB",
        "`docs/influxdb-queries.md` has queries. `-` stands for what is not there. Nothing is ever deleted.",
        "## Records",
        f"Measurements: {', '.join(f'`{name}`' for name in MEASUREMENTS)}. A point is one version of one record, and the\n"
        "newest of an `id` is what holds. Tags: `site`, `id`.",
        table(
            ("field", "type", "meaning"),
            [(f"`{field}`", kind, RECORD_FIELDS[field]) for field, kind in FIELD_TYPES.items()],
        ),
        *parts,
    )


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "commands.md": commands_page,
    "exit-codes.md": exit_codes_page,
    "http.md": http_page,
    "metrics.md": metrics_page,
    "report.md": report_page,
    "what-to-do.md": what_to_do_page,
    "events.md": events_page,
    "sqlite.md": sqlite_page,
    "influxdb.md": influxdb_page,
    "kafka.md": kafka_page,
}


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")
        print(f"docs/reference/{name}")
    MAN_PAGE.write_text(man_page(), encoding="utf-8")
    print(MAN_PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
