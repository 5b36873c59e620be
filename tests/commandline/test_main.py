"""The command as a process: its imports, streams and exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import engine
from tests.commandline.in_process import Reconcile

CHECKOUT = Path(__file__).parents[2]
HEAVY = ("argcomplete", "msgspec", "anyio", "asyncio", "apsw", "websockets", "xxhash", "tomllib", "ssl")


def python(*arguments: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), **environ}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=False)


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_load_no_library(argument: str) -> None:
    program = (
        "import sys\nfrom engine.__main__ import main\n"
        f"code = main([{argument!r}])\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "sys.exit(f'loaded: {loaded}' if loaded else code)"
    )
    ended = python("-c", program)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.startswith(b"usage: " if argument == "--help" else b"reconcile ")


@pytest.mark.process
@pytest.mark.parametrize("records", ["none", "history:history.db"])
def test_a_pass_over_files_loads_no_event_loop(records: str, tmp_path: Path) -> None:
    sample = CHECKOUT / "ops" / "sample" / "home-2026.11"
    argv = ["--quiet", "--source", f"capture:{sample}", "--rows", "rows.db", "--records", records]
    program = (
        "import sys\nfrom engine.__main__ import main\n"
        f"codes = [main({argv!r}) for _ in range(2)]\n"
        "loaded = [name for name in ('anyio', 'asyncio', 'logging', 'ssl') if name in sys.modules]\n"
        "sys.exit(f'{codes}, loaded: {loaded}' if loaded or any(codes) else 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_help_shows_the_exit_codes(reconcile: Reconcile) -> None:
    code, out, err = reconcile("--help")
    assert (code, err) == (0, "")
    for number in ("0 ", "1 ", "2 ", "3 ", "64", "130"):
        assert f"\n  {number}" in out


def test_the_process_ends_with_the_command_even_if_threads_remain() -> None:
    program = (
        "import atexit, os, sys, threading\nfrom engine.__main__ import main\n"
        "never, kept_open = os.pipe()\n"
        "threading.Thread(target=os.read, args=(never, 1)).start()\n"
        "atexit.register(os.read, never, 1)\n"
        "sys.argv = ['reconcile', 'version']\n"
        "main()"
    )
    ended = python("-c", program)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.startswith(b"reconcile ")


@pytest.mark.parametrize(
    ("fault", "reported"),
    [
        ("SystemError('error return without exception set')", b"Cannot go on: there is not enough memory"),
        ("MemoryError()", b"Cannot go on: there is not enough memory"),
        ("AssertionError('nobody foresaw it')", b"nobody foresaw it"),
    ],
)
def test_the_process_ends_on_an_unexpected_error(fault: str, reported: bytes) -> None:
    program = (
        "import os, sys, threading\nimport engine.__main__ as program\n"
        f"def run(argv): raise {fault}\n"
        "program._run = run\n"
        "never, kept_open = os.pipe()\n"
        "threading.Thread(target=os.read, args=(never, 1)).start()\n"
        "program.main()"
    )
    ended = python("-c", program)
    assert ended.returncode == 1
    assert reported in ended.stderr


def test_a_usage_error_is_returned_as_64(reconcile: Reconcile) -> None:
    code, out, err = reconcile("--nonsense")
    assert (code, out) == (64, "")
    assert err.startswith("Error: ")


def test_the_version_names_the_running_program(reconcile: Reconcile) -> None:
    code, out, _ = reconcile("version")
    assert code == 0
    assert out.startswith(f"reconcile {engine.__version__}\npython {sys.version.split()[0]}\nsqlite 3.")
    assert reconcile("version", "--json").out.startswith('{"schema_version":1,')


def test_a_reader_that_went_away_is_no_error(tmp_path: Path) -> None:
    program = f"{sys.executable} -m engine version; echo code $? >&2"
    ended = subprocess.run(
        ["sh", "-c", f"({program}) | true"],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert ended.stderr == b"code 0\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_result_that_cannot_be_written_is_a_failure() -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "engine", "version"],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith(b"Error: The result could not be written to standard output")
