"""Builds the virtual environment that ops/run and ops/test use, with uv when it is on the PATH, else with venv and pip.

    environment.py DIRECTORY REQUIREMENTS STAMP

The stamp is written last, so an environment that was cut off is rebuilt; two set-ups take turns, and installers that outlive
one hold its lock. Nothing stays outside the checkout. Standard library only, Python >= 3.11.
"""

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

UNAVAILABLE = 69  # EX_UNAVAILABLE of sysexits

# What the shell runs as `reconcile`. The second line makes it start from a path with spaces, or a long one.
COMMAND = """\
#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys

from engine.__main__ import main

sys.exit(main())
"""


def main(environment: Path, requirements: Path, stamp: bytes) -> int:
    """Returns the exit code: 0 with a complete environment in place, or 69 without."""
    checkout, written = requirements.parent, environment / "stamp"
    (checkout / ".cache").mkdir(exist_ok=True)
    with (checkout / ".cache" / f"{environment.name.lstrip('.')}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if written.exists() and written.read_bytes() == stamp and (environment / "bin/python").exists():
            return 0
        if not shutil.which("uv") and not importlib.util.find_spec("ensurepip"):
            return refuse(
                f"{sys.executable} cannot make virtual environments: its ensurepip is missing.",
                f"On Debian and Ubuntu: apt install python{sys.version_info.major}.{sys.version_info.minor}-venv."
                " Or name another: PYTHON=/path/to/python3",
            )
        print(f"Setting up (once) {environment} ...", file=sys.stderr, flush=True)
        written.unlink(missing_ok=True)
        if not build(environment, requirements, lock.fileno()):
            shutil.rmtree(environment, ignore_errors=True)
            return refuse(
                f"Setting up {environment} failed (above), and left nothing behind.",
                "It needs a package source once: check the network, or pip's own settings for a mirror or a proxy.",
            )
        link_checkout(environment, checkout)
        written.write_bytes(stamp)
    return 0


def build(environment: Path, requirements: Path, lock: int) -> bool:
    """Whether the environment was made from nothing, with all packages in it."""
    # Its own file: a link such as `python3` would silently become the next version, whose packages are elsewhere.
    base = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    python, wanted = (
        str(environment / "bin/python"),
        ["--only-binary", ":all:", "--requirement", str(requirements)],
    )
    by_uv = (
        ["uv", "venv", "--quiet", "--python", base, str(environment)],
        [
            "uv",
            "pip",
            "install",
            "--quiet",
            "--python",
            python,
            "--compile-bytecode",
            "--require-hashes",
            *wanted,
        ],
    )
    by_pip = (
        [base, "-I", "-m", "venv", str(environment)],
        [python, "-I", "-m", "pip", "install", "--quiet", "--require-hashes", *wanted],
    )
    for commands in (by_uv, by_pip) if shutil.which("uv") else (by_pip,):
        shutil.rmtree(environment, ignore_errors=True)
        if all(is_done(command, installers_settings(requirements.parent), lock) for command in commands):
            return True
    return False


def is_done(command: list[str], settings: dict[str, str], lock: int) -> bool:
    """Runs one command to its end. What it prints is for people, and stdout is the program's."""
    ended = subprocess.run(command, env=settings, stdout=sys.stderr, pass_fds=[lock], check=False)
    return ended.returncode == 0


def installers_settings(checkout: Path) -> dict[str, str]:
    """Returns the user's environment (package sources, proxies), with all writes turned into the checkout."""
    redirecting = {"PIP_PREFIX", "PIP_ROOT", "PIP_TARGET", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}
    return {
        "PIP_CACHE_DIR": str(checkout / ".cache/pip"),
        "UV_CACHE_DIR": str(checkout / ".cache/uv"),
        "UV_SYSTEM_CERTS": "1",  # like pip from 24.2 on: a company's own certificate authority counts
        **{name: value for name, value in os.environ.items() if name not in redirecting},
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_USER": "0",
        "UV_PYTHON_DOWNLOADS": "never",
    }


def link_checkout(environment: Path, checkout: Path) -> None:
    """Makes the checkout's packages importable and its command callable, without building a wheel."""
    (site_packages,) = environment.glob("lib/python3*/site-packages")
    (site_packages / "ha_reconcile.pth").write_bytes(os.fsencode(checkout) + b"\n")
    command = environment / "bin/reconcile"
    command.write_bytes(os.fsencode(COMMAND.format(python=environment / "bin/python")))
    command.chmod(0o755)


def refuse(*lines: str) -> int:
    """Says what is missing and returns the exit code."""
    print(*lines, sep="\n", file=sys.stderr)
    return UNAVAILABLE


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), os.fsencode(sys.argv[3])))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(refuse(f"Cannot set up {sys.argv[1]}: {error}."))
