"""The house rules that a machine can check; each is stated where it bites."""

import ast
import importlib
import re
import subprocess
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "api").rglob("*.py")])
ALL = sorted(
    p
    for p in (*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "ops").glob("*.py"))
    if "data" not in p.relative_to(ROOT).parts
)
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
# Why a module needs no twin: it is a vocabulary (errors, ports), or it is tested by what it is made of.
WITHOUT_TWIN = {
    "engine/__main__.py",  # one line around the command line, which its own tests run
    "engine/errors.py",  # classes without behaviour
    "engine/ports.py",  # contracts without code; the contract suites test their adapters
    "engine/run.py",  # wiring, tested by every command
    "engine/core/compare/proof.py",  # structs; tests/loop/test_shortcut.py makes and breaks them
    "engine/core/state/report.py",  # structs; tests/core/compare/test_comparison.py and tests/loop fill them
    "engine/core/compare/stored.py",  # one struct, tested with plans
    "engine/loop/pass_options.py",  # structs that passes are made with
    "engine/loop/one_pass.py",  # the inside of the reconciler, tested through it
    "engine/loop/offload.py",  # one line around anyio; virtual time puts another in its place
    "engine/core/state/pace.py",  # one struct; tests/loop run by it
    "engine/influx.py",  # wiring, tested by tests/real/test_influxdb_home.py
    "engine/settings.py",  # structs; tests/test_settings_layers.py loads them
    "engine/commandline/verbs/serve.py",  # wiring, tested as a process by tests/test_serving.py
    "engine/loop/memory.py",  # tested with warm passes in tests/loop/test_reconciler.py
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", ALL, ids=relative)
def test_modules_are_short_named_and_say_what_they_are_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    assert path.stem not in BANNED_NAMES
    assert ast.get_docstring(ast.parse(text)) or not text.strip()


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_functions_stop_at_sixty_lines(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, f"{node.name} in {relative(path)}"


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


def test_the_list_of_modules_without_twin_is_not_stale() -> None:
    assert all((ROOT / name).exists() for name in WITHOUT_TWIN)


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
