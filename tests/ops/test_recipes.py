"""The ten questions of docs/recipes.md: each is asked of the recorded home, and answers as the page says, everywhere.

The page, the canned queries of datasette and the panels of Grafana hold the same SQL. datasette and pandas come from
.venv-docs (`requirements-docs.txt`); without them their tests are skipped, or fail in CI.
"""

import json
import re
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from tests.availability import skip_or_fail
from tests.ops.programs import OPS, ROOT, run

PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
METADATA = OPS / "datasette" / "metadata.yaml"
DATABASES = yaml.safe_load(METADATA.read_text(encoding="utf-8"))["databases"]
QUERIES: dict[str, Any] = DATABASES["home"]["queries"]
DASHBOARD = json.loads((OPS / "grafana" / "sqlite" / "home-now.json").read_bytes())
SINCE = "2026-11-23 11:00"
EACH_QUERY = pytest.mark.parametrize("name", QUERIES)


def in_docs_environment(program: str) -> Path:
    found = ROOT / ".venv-docs" / "bin" / program
    if not found.exists():
        skip_or_fail(f"no {program} in .venv-docs: `sh ops/docs --site` installs it")
    return found


@pytest.fixture(scope="module")
def rows_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded home, mirrored."""
    folder = tmp_path_factory.mktemp("home")
    source = ("--config", "/dev/null", "--source", f"capture:{OPS / 'sample' / 'home-2026.11'}")
    stores = ("--rows", folder / "home.db", "--records", "none")
    done = run(sys.executable, "-m", "engine", *source, *stores, "--quiet")
    assert done.returncode == 0, done.stderr
    return folder / "home.db"


@pytest.fixture
def home(rows_file: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{rows_file}?mode=ro", uri=True)
    yield connection
    connection.close()


def given(name: str) -> dict[str, str]:
    return {"since": SINCE} if ":since" in QUERIES[name]["sql"] else {}


def section(name: str) -> str:
    """What the page says of a question."""
    return re.split(r"(?m)^## ", PAGE.split(f". {QUERIES[name]['title']}\n", 1)[1], maxsplit=1)[0]


def shown(name: str) -> tuple[list[list[str]], int]:
    """The table that the page shows, header first, and the number of rows it says there are."""
    lines = [line for line in section(name).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    more = re.search(r"\.\.\. and (\d+) more\.", section(name))
    return [cells[0], *cells[2:]], len(cells) - 2 + int(more[1] if more else 0)


def test_the_page_asks_ten_questions_in_the_order_of_the_file() -> None:
    headings = re.findall(r"(?m)^## (\d+)\. (.*)$", PAGE)
    assert headings == [(str(n), query["title"]) for n, query in enumerate(QUERIES.values(), 1)]
    assert len(QUERIES) == 10
    assert DATABASES["reconcile"] == DATABASES["home"]


@EACH_QUERY
def test_the_page_shows_the_query_and_what_it_answers(name: str, home: sqlite3.Connection) -> None:
    sql = QUERIES[name]["sql"]
    assert f"```sql\n{sql}\n```" in section(name)
    cursor = home.execute(sql, given(name))
    rows = cursor.fetchall()
    table, count = shown(name)
    answer = [["" if value is None else str(value) for value in row] for row in rows]
    assert table == [[column[0] for column in cursor.description], *answer[: len(table) - 1]]
    assert count == len(rows) > 0


def test_without_a_time_the_last_seven_days_are_meant(rows_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "home.db"
    with sqlite3.connect(rows_file) as original, sqlite3.connect(copy) as changed:
        original.backup(changed)
        changed.execute(
            "UPDATE devices SET modified_at = datetime('now', '-6 days') WHERE name = 'Bed Light'"
        )
        changed.execute("UPDATE devices SET modified_at = datetime('now', '-8 days') WHERE name = 'AC'")
        names = {row[2] for row in changed.execute(QUERIES["changed_lately"]["sql"], {"since": ""})}
    assert "Bed Light" in names
    assert "AC" not in names


@EACH_QUERY
def test_datasette_answers_the_same(name: str, rows_file: Path, home: sqlite3.Connection) -> None:
    program = in_docs_environment("datasette")
    path = f"/home/{name}.json?{urlencode({'_shape': 'arrays', **given(name)})}"
    done = run(program, rows_file, "--metadata", METADATA, "--get", path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert rows == [list(row) for row in home.execute(QUERIES[name]["sql"], given(name))]


def test_datasette_shows_the_home_and_hides_our_books(rows_file: Path) -> None:
    program = in_docs_environment("datasette")
    done = run(program, rows_file, "--metadata", METADATA, "--get", "/home.json")
    shown_tables = {table["name"] for table in json.loads(done.stdout)["tables"] if not table["hidden"]}
    assert shown_tables == {
        "areas",
        "categories",
        "config_entries",
        "devices",
        "entities",
        "floors",
        "labels",
    }


@EACH_QUERY
def test_grafana_asks_the_same(name: str, home: sqlite3.Connection) -> None:
    panels = {panel["title"]: panel for panel in DASHBOARD["panels"]}
    assert list(panels) == [query["title"] for query in QUERIES.values()]
    (target,) = panels[QUERIES[name]["title"]]["targets"]
    assert target["queryText"] == target["rawQueryText"]
    chosen = "datetime($__from / 1000, 'unixepoch')"
    ours = QUERIES[name]["sql"].replace("coalesce(nullif(:since, ''), datetime('now', '-7 days'))", chosen)
    assert target["queryText"] == ours
    # Grafana puts the begin of the chosen time into the query, in milliseconds.
    assert home.execute(ours.replace("$__from", "1795431600000")).fetchall()


def test_pandas_answers_what_the_page_shows(rows_file: Path) -> None:
    python = in_docs_environment("datasette").with_name("python")
    code, answer = re.findall(r"```python\n(.*?)```\n+```text\n(.*?)```", PAGE, re.DOTALL)[0]
    done = run(python, "-c", code.replace("var/home.db", str(rows_file)))
    assert (done.stderr, done.stdout) == ("", answer)
