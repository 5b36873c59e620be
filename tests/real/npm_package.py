"""Packages of npm that judge what we make, installed into .cache the first time."""

import shutil
import subprocess
from pathlib import Path

_CACHE = Path(__file__).parents[2] / ".cache"
_INSTALL_SECONDS_MAX = 400


class PackageMissingError(Exception):
    """It is not there and could not be installed; the message says how to."""


def npm_package(name: str, version: str) -> Path:
    """The folder of a package. Raises PackageMissingError."""
    cache = _CACHE / f"{name.rpartition('/')[2]}-{version}"
    folder = cache / "node_modules" / name
    npm = shutil.which("npm")
    if not folder.exists() and npm is not None:
        cache.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--silent", f"{name}@{version}"]
        subprocess.run(command, cwd=cache, check=False, timeout=_INSTALL_SECONDS_MAX)
    if not folder.exists():
        raise PackageMissingError(f"no {name}: `npm install {name}@{version}` in {cache}")
    return folder
