"""The programs that the tests of `ops/` run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.availability import skip_or_fail

ROOT = Path(__file__).parents[2]
OPS = ROOT / "ops"


def tool(name: str, where_from: str) -> str:
    """The path of a program that judges a file; without it the test is skipped, or fails in CI."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        skip_or_fail(f"no {name}: install {where_from}")
    return found


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end."""
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def pack_app(directory: Path) -> subprocess.CompletedProcess[str]:
    """Runs ops/pack-app."""
    return run("/bin/sh", OPS / "pack-app", directory)
