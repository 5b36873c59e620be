"""The Flux texts, type-checked by libflux in Node; no server executes them here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.replicas.influx_flux import flux_params
from tests.replicas.test_influx_flux import DATA, SCANS

PACKAGE = "@influxdata/flux-lsp-browser"
VERSION = "0.8.40"
CACHE = Path(__file__).parents[2] / ".cache" / "flux"


@pytest.fixture(scope="module")
def checker() -> list[str]:
    """The command that checks files."""
    folder = CACHE / "node_modules" / PACKAGE
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None:
        missing("no node")
    if not folder.exists() and npm is not None:
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--silent", f"{PACKAGE}@{VERSION}"]
        subprocess.run(command, cwd=CACHE, check=False, timeout=200)
    if not folder.exists():
        missing(f"no {PACKAGE}: `npm install {PACKAGE}@{VERSION}` in {CACHE}")
    return [str(node), str(DATA / "check.mjs"), str(folder)]


def missing(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def check(checker: list[str], *files: Path) -> tuple[int, str]:
    done = subprocess.run(
        [*checker, *map(str, files)], capture_output=True, text=True, timeout=240, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", SCANS)
def test_a_text_has_no_fault(checker: list[str], tmp_path: Path, name: str) -> None:
    # As influxdb-client sends parameters: options before the text.
    given = flux_params("homes", SCANS[name])
    options = [
        f"option {k} = {f'{chr(34)}x{chr(34)}' if isinstance(v, str) else v}" for k, v in given.items()
    ]
    file = tmp_path / f"{name}.flux"
    file.write_text("\n".join([*options, (DATA / f"{name}.flux").read_text()]))
    status, told = check(checker, file)
    assert status == 0, told


def test_the_check_finds_faults(checker: list[str], tmp_path: Path) -> None:
    file = tmp_path / "wrong.flux"
    file.write_text('from(bucket: 5) |> range(start: 0) |> keep(colums: ["a"])')
    status, told = check(checker, file)
    assert status == 1
    assert "expected string but found int" in told
    assert "colums" in told
