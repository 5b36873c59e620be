"""The house rules that a machine can check; each is stated where it bites."""

import ast
import importlib
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "api").rglob("*.py")])
ALL = sorted(
    p
    for p in (
        *SOURCES,
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "ops").glob("*.py"),
        *(ROOT / "ops" / "site").glob("*.py"),
        *(ROOT / "bench").rglob("*.py"),
    )
    if "data" not in p.relative_to(ROOT).parts
)
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
# At the top of a module, below comments at most. Parsing all of them to see as much would take seconds.
DOCSTRING = re.compile(r'(?:#.*\n|\s)*"""\s*\S')
# Why a module needs no twin: it is a vocabulary (errors, ports), or it is tested by what it is made of.
WITHOUT_TWIN = {
    "engine/__main__.py",  # one line around the command line, which its own tests run
    "engine/errors.py",  # classes without behaviour
    "engine/ports.py",  # contracts without code; the contract suites test their adapters
    "api/sites/ports.py",  # contracts, and structs that the routes answer from
    "api/fleet/bodies.py",  # structs that the routes answer with
    "api/fleet/ports.py",  # contracts
    "api/fleet/queries.py",  # structs; tests/api/fleet/test_routes.py asks with them
    "engine/commandline/verbs/service/fleet_view.py",  # wiring, tested as a process by tests/real/test_fleet_view.py
    "engine/fleet_view/ports.py",  # a contract without code
    "engine/replicas/kafka/cluster/whole_topics.py",  # what a broker sends, tested on one by tests/real/test_fleet_view.py
    "engine/commandline/arguments/options.py",  # tested with the parser
    "engine/commandline/verbs/service/serve_sites.py",  # wiring, tested as a process by tests/sites/test_serving.py
    "engine/commandline/verbs/service/until_signal.py",  # wiring, tested as a process by tests/composition/test_serving.py
    "engine/composition/follow.py",  # wiring, tested by every service
    "engine/composition/resources.py",  # one struct
    "engine/composition/run.py",  # wiring, tested by every command
    "engine/composition/sources.py",  # wiring, tested by tests/composition/test_run.py and every command
    "engine/composition/stores.py",
    "engine/commandline/arguments/arguments.py",  # values, tested with the parser
    "engine/commandline/arguments/values.py",
    "engine/commandline/verbs/doctor/home.py",  # tested with the command
    "engine/metrics/status_gauges.py",  # tested with all series
    "engine/replicas/influx/wires/influxql.py",  # tested with the wire
    "engine/replicas/rows/columns.py",  # tested with the codec
    "engine/replicas/rows/writing/read_back.py",  # tested with what writes
    "engine/replicas/rows/ledger/feed.py",  # tested with the ledger
    "engine/replicas/rows/queries/rows_reader.py",  # opens what tests/replicas/rows/queries/test_read_transactions.py tests
    "engine/replicas/influx/options.py",  # one struct and a contract
    "engine/replicas/sqlite_file/file_identity.py",  # tested with the connections
    "engine/replicas/sqlite_file/log.py",  # tested with the file
    "engine/replicas/sqlite_file/own_connection.py",  # tested with the file
    "engine/replicas/sqlite_file/set_up.py",
    "engine/sources/live/later_snapshot.py",  # tested with the watch
    "engine/sources/live/subscription.py",  # tested with the connection
    "engine/pass_cache/ports.py",  # contracts without code
    "engine/pass_cache/contents.py",  # tested with what it is made of and made into by tests/pass_cache/test_pass_cache.py
    "engine/pass_cache/learned.py",
    "engine/pass_cache/recalled.py",
    "engine/sources/unchanged/remembering.py",  # tested with passes by tests/loop/test_cached_passes.py
    "engine/sources/unchanged/recalled.py",
    "engine/core/state/report.py",  # structs; tests/core/compare/test_comparison.py and tests/loop fill them
    "engine/core/compare/stored.py",  # one struct, tested with plans
    "engine/loop/passes/options.py",  # structs that passes are made with
    "engine/loop/passes/context.py",  # what passes share, tested with them
    "engine/loop/passes/missing_records.py",  # tested with passes in tests/loop/passes/test_reconciler.py
    "engine/loop/passes/report.py",  # the document that passes are judged by
    "engine/loop/listeners.py",  # contracts without code
    "engine/core/state/kept_past.py",  # structs; tests/replicas/history and tests/api fill and read them
    "engine/composition/compaction.py",  # wiring, tested by tests/commandline/verbs/test_compact.py
    "engine/composition/kafka.py",  # wiring, tested by tests/real/test_kafka_home.py
    "engine/replicas/kafka/cluster/site_topic.py",  # tested on a real one by tests/real/test_kafka_statuses.py
    "engine/replicas/kafka/sites/site_topic.py",  # a contract without code
    "engine/replicas/kafka/cluster/administration.py",  # what a broker answers, tested on one by tests/real/test_kafka_topics.py
    "engine/replicas/kafka/cluster/clients.py",  # what a broker that is away says, tested by tests/real/test_kafka_faults.py
    "engine/replicas/kafka/cluster/group.py",  # a consumer group, tested on a broker by tests/real/test_kafka_ownership.py
    "engine/replicas/kafka/cluster/log.py",  # wiring; the contract suite runs on it
    "engine/replicas/kafka/cluster/workers.py",  # what a broker answers, tested on one by tests/real/test_kafka_ownership.py
    "engine/replicas/kafka/cluster/writing.py",  # transactions of a broker, tested on one by tests/real/test_kafka_faults.py
    "engine/replicas/kafka/log.py",  # a contract without code
    "engine/replicas/kafka/open.py",  # wiring
    "engine/settings/records.py",  # structs; tests/settings/test_layers.py loads them
    "engine/composition/influx.py",  # wiring, tested by tests/real/test_influxdb_home.py
    "engine/settings/sites.py",  # one struct; tests/sites load it
    "engine/secret.py",  # tested with what holds one, by tests/settings/test_layers.py
    "engine/settings/secrets.py",  # tested with the layers
    "engine/settings/sections.py",  # structs; tests/settings/test_layers.py loads them
    "engine/commandline/verbs/service/serve.py",  # wiring, tested as a process by tests/composition/test_serving.py
    "engine/loop/passes/memory.py",  # tested with warm passes in tests/loop/passes/test_reconciler.py
}

# Longer than 300 lines, and why; nothing else may be, and these stop at 400. All are tests: of the program there is none.
LONG_MODULES = {
    "tests/contract/test_replica.py": "the contract of all replicas, to be read as one",
    "tests/core/guards/test_guard.py": "each guard beside those that must not speak in its place",
    "tests/fuzz/decoders.py": "the list of all decoders, ten lines each",
    "tests/loop/passes/test_reconciler.py": "one pass, in the order of its steps",
    "tests/ops/test_bootstrap.py": "one script on one stand, which is a third of it",
    "tests/real/test_influxdb2.py": "one server, started once for all of them",
    "tests/replicas/sqlite_file/test_connections.py": "all that can happen to one file, by one table",
    "tests/replicas/sqlite_file/test_database.py": "one class on one file",
    "tests/simulation/faults.py": "the list of all that can go wrong, which a history draws from",
    "tests/simulation/home.py": "a Home Assistant as one object",
    "tests/simulation/world.py": "the world that a history plays in, as one object",
    "tests/sources/files/test_backup.py": "one source, with the ways to damage an archive",
    "tests/sources/files/test_storage.py": "one source, with the ways to damage its files",
    "tests/sources/live/test_protocol.py": "one protocol, message by message",
    "tests/sources/live/test_watch.py": "one class against one scripted core",
    "tests/sources/live/test_websocket.py": "one class against one scripted core",
}
# Folders with more than a dozen modules, and why.
CROWDED_FOLDERS = {
    "tests": "what concerns all folders, and what all of them share",
    "tests/commandline": "one module for each of the command line's, and what they share",
    "tests/loop": "one module for each of the loop's, and the ways in which it fails",
    "tests/ops": "one module for each kind of file in ops/",
    "tests/real": "one module for each server and question; each server's stand is used by several",
    "tests/simulation": "one program with one entry; its parts know each other",
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """A module's syntax tree; several rules look at each."""
    return ast.parse(path.read_text(encoding="utf-8"))


def test_modules_are_short_well_named_and_documented() -> None:
    found = []
    for path in ALL:
        text, name = path.read_text(encoding="utf-8"), relative(path)
        if (lines := len(text.splitlines())) > (400 if name in LONG_MODULES else 300):
            found.append(f"{name}: {lines} lines")
        if path.stem in BANNED_NAMES:
            found.append(f"{name}: a name that says nothing")
        if text.strip() and not DOCSTRING.match(text):
            found.append(f"{name}: no docstring")
    assert found == []


@pytest.mark.slow
def test_functions_stop_at_forty_five_lines() -> None:
    functions = [
        (path, node)
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert len(functions) > 2000
    assert [
        f"{relative(path)}:{node.name}"
        for path, node in functions
        if (node.end_lineno or sys.maxsize) - node.lineno >= 45
    ] == []


def test_folders_hold_a_dozen_modules() -> None:
    """And say in a docstring what may enter them."""
    modules = Counter(path.parent for path in ALL if path.name != "__init__.py")
    crowded = {relative(folder) for folder, count in modules.items() if count > 12}
    assert crowded == CROWDED_FOLDERS.keys()
    inits = [path for path in SOURCES if path.name == "__init__.py"]
    assert {path.parent for path in SOURCES} == {path.parent for path in inits}
    assert [relative(path) for path in inits if not ast.get_docstring(tree(path))] == []


@pytest.mark.slow
def test_classes_take_eight_arguments_at_most() -> None:
    found = []
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                if len(given) - 1 > 8:
                    found.append(f"{relative(path)}:{node.lineno}")
    assert found == []


def test_every_module_has_a_test_module_of_its_name() -> None:
    missing = [
        relative(path)
        for path in SOURCES
        if path.name != "__init__.py" and relative(path) not in WITHOUT_TWIN and not _twin(path).exists()
    ]
    assert missing == []


def _twin(path: Path) -> Path:
    inside = (
        path.relative_to(ROOT / "engine") if path.is_relative_to(ROOT / "engine") else path.relative_to(ROOT)
    )
    return ROOT / "tests" / inside.parent / f"test_{path.name}"


@pytest.mark.slow
def test_no_class_name_of_engine_and_api_occurs_twice() -> None:
    places: dict[str, list[str]] = {}
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(relative(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_the_lists_of_exceptions_are_not_stale() -> None:
    named = {
        *WITHOUT_TWIN,
        *LONG_MODULES,
        *CROWDED_FOLDERS,
    }
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in LONG_MODULES}
    assert [name for name, lines in lengths.items() if lines <= 300] == [], "short enough by now"


def test_values_of_the_core_are_frozen() -> None:
    paths = [path.relative_to(ROOT) for path in (ROOT / "engine" / "core").rglob("*.py")]
    names = {".".join(path.with_suffix("").parts) for path in paths if path.stem != "__init__"}
    modules = [importlib.import_module(name) for name in sorted(names)]
    values = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and value is not msgspec.Struct
    }
    assert len(values) > 20
    assert [value.__name__ for value in values if not value.__struct_config__.frozen] == []


def test_the_repository_stands_alone() -> None:
    """No other folder of our own machine, and no address of a package registry, in anything committed."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if tracked.returncode:
        pytest.fail("not a git checkout: git ls-files failed")
    # Spelled in parts, so that this file is not its own finding.
    banned = [
        "../" + "shared",
        "/" + "work/",
        "pypi" + ".org",
        "pythonhosted" + ".org",
        "registry." + "npmjs",
    ]
    found = []
    for name in tracked.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and "tests/data" not in name:
            text = path.read_bytes().decode("utf-8", "replace")
            found += [f"{name}: {word}" for word in banned if word in text]
    assert found == []


def test_what_ci_sets_is_no_setting_and_is_explained() -> None:
    """A variable with our prefix that is no setting stops the program, unless it is RECONCILE_TEST_*."""
    said = set(re.findall(r"(?m)^export (RECONCILE_\w+)", (ROOT / ".ci" / "run").read_text(encoding="utf-8")))
    assert said
    explained = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in said:
        assert name.startswith("RECONCILE_TEST_"), name
        assert f"`{name}" in explained, name
