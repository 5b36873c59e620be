"""What a cold pass over a home of the given size adds to a fresh process. Prints payload and added bytes.

    python -m bench.passes.peak_memory ENTITIES

The payload is put into files by a first process, and read answer by answer as it would come off a socket.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import cast

import anyio
import msgspec

from bench.driving import ScriptedConnection, cold_pass, entries_answers
from bench.registries import VERSION, Home, make_home
from engine.sources.answers.command_results import ENTITY_ENTRIES


class FileConnection:
    """Answers commands from files and keeps nothing."""

    ha_version = VERSION

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._part = 0

    async def command(self, command_type: str, /, **_: object) -> msgspec.Raw:
        """The answer; those to get_entries come in the order of the requests."""
        name = file_name(command_type)
        if command_type == ENTITY_ENTRIES:
            name += f"-{self._part}"
            self._part += 1
        return msgspec.Raw((self._folder / name).read_bytes())


def file_name(command: str) -> str:
    """A command as a file name."""
    return command.replace("/", "_")


def prepare(folder: Path, home: Home) -> int:
    """Write the answers and a filled rows file; returns the answers' bytes."""
    for command, answer in home.answers.items():
        (folder / file_name(command)).write_bytes(answer)
    parts = entries_answers(home)
    for number, answer in enumerate(parts):
        (folder / f"{file_name(ENTITY_ENTRIES)}-{number}").write_bytes(answer)
    anyio.run(cold_pass, ScriptedConnection(home), folder / "rows.db")
    return home.list_bytes + sum(map(len, parts))


def main() -> None:
    """Prepare in one process, measure in another: the peak of the first says nothing."""
    size, *rest = sys.argv[1:]
    if rest:
        folder = Path(rest[0])
        # The worker thread, the event loop and SQLite are there before anything is counted.
        anyio.run(cold_pass, ScriptedConnection(make_home(9)), folder / "small.db")
        before = peak_bytes()
        anyio.run(cold_pass, cast("ScriptedConnection", FileConnection(folder)), folder / "rows.db")
        print(peak_bytes() - before)
        return
    with tempfile.TemporaryDirectory() as directory:
        print(prepare(Path(directory), make_home(int(size))))
        program = [sys.executable, "-m", "bench.passes.peak_memory", size, directory]
        print(subprocess.run(program, capture_output=True, text=True, check=True).stdout)  # noqa: S603


def peak_bytes() -> int:
    """The most memory that this process ever held.

    From Linux itself: `ru_maxrss` of a child begins with what its parent held when it was forked.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
