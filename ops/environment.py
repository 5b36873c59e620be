"""Builds the virtual environment that ops/run and ops/test use. Standard library only, Python >= 3.11.

    environment.py DIRECTORY REQUIREMENTS STAMP

Invariants: the stamp is written last, so an environment without it was interrupted and is built anew; a lock
that the kernel releases with its last holder keeps two set-ups apart, however one of them ended; nothing is
written outside the checkout. Uses uv when it is on the PATH, else (or when uv fails) the interpreter's pip.
"""

import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

UNAVAILABLE = 69  # EX_UNAVAILABLE of sysexits
LOG_LINES_SHOWN = 30
STOPPING_SECONDS_MAX = 5.0
TERMINATED = 128 + signal.SIGTERM
INTERRUPTED = 128 + signal.SIGINT
ENDINGS = frozenset({signal.SIGINT, signal.SIGTERM})

# What the shell runs as `reconcile`. The second line makes it start from a path with spaces, or a long one.
COMMAND = """\
#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys

from {module} import {function}

sys.exit({function}())
"""


class Failed(Exception):
    """A step of the set-up did not work; its output is in the log."""


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 with a complete environment in place, or 69 with none."""
    environment, requirements, stamp = Path(arguments[0]), Path(arguments[1]), arguments[2]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    work = requirements.parent / ".cache" / environment.name.lstrip(".")
    try:
        work.mkdir(parents=True, exist_ok=True)
        with only_one(work / "lock") as lock:
            if is_complete(environment, stamp):
                return 0
            code = set_up(environment, requirements, work, lock)
            if code == 0:
                (environment / "stamp").write_bytes(os.fsencode(stamp))
            return code
    except OSError as error:
        print(f"Cannot set up {environment}: {error}.", file=sys.stderr)
        return UNAVAILABLE
    except KeyboardInterrupt:
        return INTERRUPTED


@contextmanager
def only_one(path: Path) -> Iterator[int]:
    """Waits until no other set-up runs; yields the lock's descriptor, which our children share."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another set-up of this checkout to finish ...", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def is_complete(environment: Path, stamp: str) -> bool:
    """Tells whether the environment was finished and is made of what the stamp says."""
    try:
        is_same = (environment / "stamp").read_bytes() == os.fsencode(stamp)
    except OSError:
        return False
    return is_same and (environment / "bin/python").exists()


def set_up(environment: Path, requirements: Path, work: Path, lock: int) -> int:
    """Builds the environment from nothing; on any failure removes it and shows the log's end."""
    uv = shutil.which("uv")
    if not uv and not importlib.util.find_spec("ensurepip"):
        return refuse_without_venv()
    print(f"Setting up (once) {environment} ...", file=sys.stderr, flush=True)
    checkout, scratch, log_path = requirements.parent, work / "tmp", work / "log"
    remove(environment)
    remove(scratch)
    scratch.mkdir()
    try:
        with log_path.open("wb", buffering=0) as log:
            steps = Steps(log.fileno(), lock, settings_of_installers(checkout, scratch))
            if not (uv and installed_by_uv(steps, uv, environment, requirements)):
                install_by_pip(steps, environment, requirements)
        link_checkout(environment, checkout)
    except BaseException as error:
        remove(environment)
        if isinstance(error, Failed):
            return report(error, log_path)
        raise
    finally:
        remove(scratch)
    return 0


class Steps:
    """Runs the installers: output into the log, the lock shared so that it outlives us together with them."""

    def __init__(self, log: int, lock: int, settings: Mapping[str, str]) -> None:
        self.log, self.lock, self.settings = log, lock, settings

    def run(self, *command: str | Path) -> None:
        """Runs one command to its end; raises Failed unless it succeeds."""
        os.write(self.log, f"$ {' '.join(map(str, command))}\n".encode())
        process: subprocess.Popen[bytes] | None = None
        try:
            # A signal between the start and the assignment would leave a process that nobody stops.
            with held_back(ENDINGS):
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=self.log,
                    stderr=self.log,
                    env=self.settings,
                    pass_fds=[self.lock],
                    process_group=0,
                    preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS),  # noqa: PLW1509, no threads
                )
            code = process.wait()
        except BaseException:
            if process is not None:
                stop_group(process)
            raise
        if code:
            raise Failed(f"{Path(command[0]).name} ended with {code}")


@contextmanager
def held_back(signals: frozenset[signal.Signals]) -> Iterator[None]:
    """Lets signals wait until the block is done."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def stop_group(process: subprocess.Popen[bytes]) -> None:
    """Ends a command together with all that it started, so that nothing writes on while we clean up."""
    until = time.monotonic() + STOPPING_SECONDS_MAX
    with suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.killpg(process.pid, signal.SIGKILL)
            process.poll()
            time.sleep(0.01)


def installed_by_uv(steps: Steps, uv: str, environment: Path, requirements: Path) -> bool:
    """Tells whether uv built the environment; if not, nothing of its attempt is left but the log."""
    try:
        steps.run(uv, "venv", "--quiet", "--python", interpreter(), environment)
        steps.run(
            *(uv, "pip", "install", "--python", environment / "bin/python", "--compile-bytecode"),
            *("--require-hashes", "--only-binary", ":all:", "--requirement", requirements),
        )
    except Failed:
        remove(environment)
        return False
    return True


def install_by_pip(steps: Steps, environment: Path, requirements: Path) -> None:
    """Builds the environment with nothing but this interpreter."""
    if not importlib.util.find_spec("ensurepip"):
        raise Failed("uv did not work, and this Python has no ensurepip to do without it")
    steps.run(interpreter(), "-I", "-m", "venv", environment)
    steps.run(
        *(environment / "bin/python", "-I", "-m", "pip", "install", "--no-input", "--progress-bar", "off"),
        *("--require-hashes", "--only-binary", ":all:", "--requirement", requirements),
    )


def interpreter() -> str:
    """Returns the interpreter's own file, so that replacing it by another version is noticed.

    A link such as `python3` would silently become the next version, whose packages are elsewhere.
    """
    base: str = getattr(sys, "_base_executable", sys.executable)
    return str(Path(base).resolve())


def settings_of_installers(checkout: Path, scratch: Path) -> dict[str, str]:
    """Returns the user's environment (package sources, proxies), with all writes turned into the checkout."""
    redirecting = {"PIP_PREFIX", "PIP_ROOT", "PIP_TARGET", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}
    return {
        "PIP_CACHE_DIR": str(checkout / ".cache/pip"),
        "UV_CACHE_DIR": str(checkout / ".cache/uv"),
        "UV_SYSTEM_CERTS": "1",  # like pip from 24.2 on: a company's own certificate authority counts
        **{name: value for name, value in os.environ.items() if name not in redirecting},
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_USER": "0",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "TMPDIR": str(scratch),
    }


def link_checkout(environment: Path, checkout: Path) -> None:
    """Makes the checkout's packages importable and its console commands callable, without building a wheel."""
    (site_packages,) = environment.glob("lib/python3*/site-packages")
    (site_packages / "ha_reconcile.pth").write_bytes(os.fsencode(checkout) + b"\n")
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, target in project["scripts"].items():
        module, _, function = target.partition(":")
        command = environment / "bin" / name
        script = COMMAND.format(python=environment / "bin/python", module=module, function=function)
        command.write_bytes(os.fsencode(script))
        command.chmod(0o755)


def remove(directory: Path) -> None:
    """Removes a directory with all that is in it, if it is there; its stamp first: cut off here, it is incomplete."""
    (directory / "stamp").unlink(missing_ok=True)
    if directory.exists():
        shutil.rmtree(directory)


def report(failure: Failed, log_path: Path) -> int:
    """Shows the end of the log, says where all of it is, and returns the exit code."""
    lines = log_path.read_text(errors="replace").splitlines()
    print(*lines[-LOG_LINES_SHOWN:], sep="\n", file=sys.stderr)
    print(
        f"Setting up failed: {failure}. Nothing was left behind but the log, {log_path}.\n"
        "It needs a package source once: check the network, or pip's own settings for a mirror or a proxy.",
        file=sys.stderr,
    )
    return UNAVAILABLE


def refuse_without_venv() -> int:
    """Says what this interpreter lacks and returns the exit code."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    print(
        f"{sys.executable} cannot make virtual environments: its ensurepip is missing.\n"
        f"On Debian and Ubuntu: apt install python{version}-venv. Or name another: PYTHON=/path/to/python3",
        file=sys.stderr,
    )
    return UNAVAILABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
