"""Install the Home Assistant that tests talk to, in an environment of its own.

`python -m tests.real.installation` creates it once (minutes, about 700 MB) and prints where it is. It never touches the
environment that runs the tests: Home Assistant pins dozens of packages, and ours must not depend on them.
An installation counts only when its marker file is there, which is written last: one cut off is done again.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS_FILE = Path(__file__).with_name("requirements-home-assistant.txt")
CHECKOUT = Path(__file__).resolve().parents[2]
PLACE_VARIABLE = "RECONCILE_TEST_HOME_ASSISTANT"
# Home Assistant 2024.3.3 declares >=3.11, and its pinned packages install on these two (tried 2026-11-23).
PYTHON_VERSIONS = ("3.12", "3.11")
MARKER_NAME = "installed-requirements"
INSTALL_SECONDS_MAX = 1800


class InstallationMissingError(Exception):
    """There is no Home Assistant to run; the message says what to do about it."""


@dataclass(frozen=True)
class Installation:
    """Where Home Assistant is, or is going to be, installed."""

    directory: Path
    is_ours: bool
    """Made by us in the checkout, so that it may be emptied; False if the user named the directory."""

    @property
    def python(self) -> Path:
        """The interpreter that has Home Assistant."""
        return self.directory / "bin" / "python"

    @property
    def marker(self) -> Path:
        """Written last; holds the hash of the requirements that were installed."""
        return self.directory / MARKER_NAME

    def is_complete(self) -> bool:
        """Whether exactly the present requirements are installed."""
        return self.marker.is_file() and self.marker.read_text() == _requirements_hash()


def find_installation() -> Installation:
    """Where the installation belongs, complete or not.

    Raises InstallationMissingError when no interpreter on this machine could run it.
    """
    if named := os.environ.get(PLACE_VARIABLE):
        return Installation(Path(named).absolute(), is_ours=False)
    version, _interpreter = _find_interpreter()
    name = f"home-assistant-{_requirements_hash()}-python{version}"
    return Installation(CHECKOUT / ".cache" / name, is_ours=True)


def install(installation: Installation) -> None:
    """Make the installation complete; does nothing if it is. Two callers at once do the work once.

    Raises InstallationMissingError when no interpreter could run it, subprocess.CalledProcessError when pip fails,
    with pip's own words on standard error.
    """
    with _only_one(installation.directory):
        if installation.is_complete():
            return
        installation.marker.unlink(missing_ok=True)
        if installation.is_ours and installation.directory.exists():
            shutil.rmtree(installation.directory)
        if not installation.python.exists():
            _version, interpreter = _find_interpreter()
            _run([interpreter, "-m", "venv", str(installation.directory)])
        pip = [str(installation.python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
        _run([*pip, "install", "--quiet", "--requirement", str(REQUIREMENTS_FILE)])
        installation.marker.write_text(_requirements_hash())


def _requirements_hash() -> str:
    return hashlib.sha256(REQUIREMENTS_FILE.read_bytes()).hexdigest()[:12]


def _find_interpreter() -> tuple[str, str]:
    """(version, command): the running interpreter if it will do, else one from PATH."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running in PYTHON_VERSIONS:
        return running, sys.executable
    for version in PYTHON_VERSIONS:
        command = shutil.which(f"python{version}")
        if command is not None and _can_make_environments(command):
            return version, command
    raise InstallationMissingError(
        f"no real Home Assistant: 2024.3.3 runs on Python {' or '.join(PYTHON_VERSIONS)}, "
        f"this is {running}, and PATH has neither with venv"
    )


def _can_make_environments(command: str) -> bool:
    # A command can be there and not work: a version manager's stub, or a Debian Python without ensurepip.
    probe = subprocess.run(
        [command, "-c", "import ensurepip, venv"], capture_output=True, timeout=60, check=False
    )
    return probe.returncode == 0


@contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Wait until no other process installs there. The kernel lets go of the lock of one that dies."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_name(directory.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, timeout=INSTALL_SECONDS_MAX, stdout=subprocess.DEVNULL)


def main() -> int:
    """Install, and print the interpreter that has Home Assistant."""
    try:
        installation = find_installation()
        install(installation)
    except InstallationMissingError as missing:
        print(missing, file=sys.stderr)
        return 1
    print(installation.python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
