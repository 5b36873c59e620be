"""The Flux texts, type-checked by libflux in Node; no server executes them here."""

import shutil
import subprocess
from pathlib import Path

import pytest

from engine.replicas.influx.wires.flux import flux_script
from tests.availability import skip_or_fail
from tests.real.npm_package import PackageMissingError, npm_package
from tests.replicas.influx.wires.test_flux import DATA, SCANS

PACKAGE = "@influxdata/flux-lsp-browser"
VERSION = "0.8.40"


@pytest.fixture(scope="module")
def checker() -> list[str]:
    """The command that checks files."""
    node = shutil.which("node") or skip_or_fail("no node")
    try:
        folder = npm_package(PACKAGE, VERSION)
    except PackageMissingError as missing:
        skip_or_fail(str(missing))
    return [node, str(DATA / "check.mjs"), str(folder)]


def check(checker: list[str], *files: Path) -> tuple[int, str]:
    done = subprocess.run(
        [*checker, *map(str, files)], capture_output=True, text=True, timeout=240, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", SCANS)
def test_a_text_has_no_fault(checker: list[str], tmp_path: Path, name: str) -> None:
    file = tmp_path / f"{name}.flux"
    file.write_text(flux_script("homes", SCANS[name]))
    status, reported = check(checker, file)
    assert status == 0, reported


def test_the_check_finds_faults(checker: list[str], tmp_path: Path) -> None:
    file = tmp_path / "wrong.flux"
    file.write_text('from(bucket: 5) |> range(start: 0) |> keep(colums: ["a"])')
    status, reported = check(checker, file)
    assert status == 1
    assert "expected string but found int" in reported
    assert "colums" in reported
