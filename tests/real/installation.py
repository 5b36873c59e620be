"""Install the Home Assistants that tests talk to, each in an environment of its own.

`python -m tests.real.installation` creates them once (minutes, about 700 MB and 1.2 GB) and prints where they are;
`python -m tests.real.installation 2024.3.3` creates that one. It never touches the environment that runs the tests: Home
Assistant pins dozens of packages, and ours must not depend on them. An installation counts only when its marker file is
there, which is written last: one cut off is done again.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.real.debian_python import DebianPythonError, pip_of, reason_against, unpacked_python

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = CHECKOUT / ".cache"
MARKER_NAME = "installed-requirements"
INSTALL_SECONDS_MAX = 1800


class InstallationMissingError(Exception):
    """There is no Home Assistant to run; the message says what to do about it."""


@dataclass(frozen=True)
class Release:
    """One version of Home Assistant, and what it takes to install it."""

    version: str
    requirements: Path
    place_variable: str
    """The environment variable that may name a virtual environment to use instead."""
    pythons: tuple[str, ...]
    """The Python versions that its pinned packages install on, best first."""
    python_min: tuple[int, ...]
    from_debian: str | None = None
    """The Python version to unpack from Debian where this machine has none of them."""
    pip_options: tuple[str, ...] = ()

    @cached_property
    def requirements_hash(self) -> str:
        """Names what is to be installed."""
        return hashlib.sha256(self.requirements.read_bytes()).hexdigest()[:12]


# 2024.3.3 declares >=3.11 (tried 2026-11-23), 2026.11.0 >=3.14.2 (tried 2026-11-28).
OLDEST = Release(
    "2024.3.3",
    Path(__file__).with_name("requirements-home-assistant.txt"),
    "RECONCILE_TEST_HOME_ASSISTANT",
    ("3.12", "3.11"),
    (3, 11),
)
NEWEST = Release(
    "2026.11.0",
    Path(__file__).with_name("requirements-home-assistant-2026.txt"),
    "RECONCILE_TEST_HOME_ASSISTANT_2026",
    ("3.14",),
    (3, 14, 2),
    from_debian="3.14",
    # Two packages have no wheel; they need no compiler.
    pip_options=("--no-deps", "--only-binary", ":all:", "--no-binary", "PyRIC,PyTurboJPEG"),
)
RELEASES = (OLDEST, NEWEST)


@dataclass(frozen=True)
class Installation:
    """Where a Home Assistant is, or is going to be, installed."""

    release: Release
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
        return self.marker.is_file() and self.marker.read_text() == self.release.requirements_hash


def find_installation(release: Release = OLDEST) -> Installation:
    """Where the installation belongs, complete or not.

    Raises InstallationMissingError when no interpreter on this machine could run it.
    """
    if named := os.environ.get(release.place_variable):
        return Installation(release, Path(named).absolute(), is_ours=False)
    found = _find_interpreter(release)
    version = found[0] if found else release.from_debian
    name = f"home-assistant-{release.requirements_hash}-python{version}"
    return Installation(release, CACHE / name, is_ours=True)


def install(installation: Installation) -> None:
    """Make the installation complete; does nothing if it is. Two callers at once do the work once.

    Raises InstallationMissingError when it cannot be installed; pip's own words are on standard error.
    """
    release = installation.release
    with _only_one(installation.directory):
        if installation.is_complete():
            return
        installation.marker.unlink(missing_ok=True)
        if installation.is_ours and installation.directory.exists():
            shutil.rmtree(installation.directory)
        try:
            pip = _prepared_pip(installation)
            options = ("--quiet", *release.pip_options, "--requirement", str(release.requirements))
            _run(
                [
                    str(installation.python),
                    *pip,
                    "--disable-pip-version-check",
                    "--no-input",
                    "install",
                    *options,
                ]
            )
        except (DebianPythonError, subprocess.SubprocessError) as error:
            raise InstallationMissingError(
                f"{release.requirements.name} ({release.version}) could not be installed: {error}. To use what is "
                f"installed elsewhere, let {release.place_variable} name its virtual environment"
            ) from error
        installation.marker.write_text(release.requirements_hash)


def _prepared_pip(installation: Installation) -> tuple[str, ...]:
    """How the environment's interpreter runs pip; the environment is made if it is not there."""
    directory = str(installation.directory)
    found = _find_interpreter(installation.release)
    if found or not installation.release.from_debian or installation.python.exists():
        if not installation.python.exists():
            assert found is not None, "find_installation refuses a release that nothing can run"
            _run([found[1], "-m", "venv", directory])
        return "-m", "pip"
    version = installation.release.from_debian
    python = unpacked_python(version, CACHE / f"debian-python{version}")
    _run([str(python), "-m", "venv", "--without-pip", directory])
    return (str(pip_of(python)),)


def _find_interpreter(release: Release) -> tuple[str, str] | None:
    """(version, command): the running interpreter if it will do, else one from PATH; None: to be unpacked.

    Raises InstallationMissingError.
    """
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running in release.pythons and sys.version_info >= release.python_min:
        return running, sys.executable
    for version in release.pythons:
        command = shutil.which(f"python{version}")
        if command is not None and _can_make_environments(command, release.python_min):
            return version, command
    reason = reason_against() if release.from_debian else "no Debian package is used for it"
    if reason is None:
        return None
    raise InstallationMissingError(
        f"{release.requirements.name} ({release.version}) runs on Python {' or '.join(release.pythons)}, "
        f"this is {running}, PATH has none with venv, and {reason}"
    )


def _can_make_environments(command: str, python_min: tuple[int, ...]) -> bool:
    # A command can be there and not work: a version manager's stub, or a Debian Python without ensurepip.
    question = f"import ensurepip, sys, venv; sys.exit(sys.version_info < {python_min})"
    probe = subprocess.run([command, "-c", question], capture_output=True, timeout=60, check=False)
    return probe.returncode == 0


@contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Wait until no other process installs there. The kernel releases the lock of one that dies."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_name(directory.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, timeout=INSTALL_SECONDS_MAX, stdout=subprocess.DEVNULL)


def _install_and_say_where(release: Release) -> bool:
    try:
        installation = find_installation(release)
        install(installation)
    except InstallationMissingError as missing:
        print(missing, file=sys.stderr)
        return False
    print(installation.python)
    return True


def main(arguments: list[str]) -> int:
    """Install what is named, or everything side by side, and print the interpreters that have Home Assistant."""
    chosen = [release for release in RELEASES if not arguments or release.version in arguments]
    with ThreadPoolExecutor() as pool:
        return 0 if chosen and all(list(pool.map(_install_and_say_where, chosen))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
