"""Real shells, and how they complete a line when Tab is pressed.

bash and zsh complete in a terminal only, so they get one: a line is typed, Tab and Enter are pressed, and what was run is what was
completed. fish says it when asked. In the folder, which stands first on the PATH, is a `reconcile` that prints its arguments;
asked by a shell, it is the real one.
"""

import os
import pty
import re
import select
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.commandline.arguments.arguments import SHELLS
from tests.availability import skip_or_fail

BEGIN = {"bash": "source ./script", "zsh": "autoload -U compinit; compinit -D -u; source ./script"}
BARE = {"bash": ("--norc", "--noprofile", "-i"), "zsh": ("-f", "-i")}
WAIT_SECONDS = 60.0  # a ceiling for a loaded machine; a shell answers at once
_CHECKOUT = Path(__file__).parents[2]
_RAN = re.compile(r"RAN((?: \[[^\]]*\])*) END\r\n.*READY> ", re.DOTALL)
_PROGRAM = f"""\
#!/bin/sh
[ -z "${{_ARGCOMPLETE:-}}" ] || PYTHONPATH='{_CHECKOUT}' exec '{sys.executable}' -m engine
printf 'RAN'
printf ' [%s]' "$@"
printf ' END\\n'
"""


class Terminal:
    """bash or zsh in a terminal, in a folder, with the completion script read."""

    def __init__(self, name: str, folder: Path) -> None:
        self._terminal, inside = pty.openpty()
        self._process = subprocess.Popen(
            [find_shell(name), *BARE[name]],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            cwd=folder,
            env=_environ(folder),
            start_new_session=True,
        )
        os.close(inside)
        # The prompt is put together by the shell, so that the echo of this line does not look like it.
        self._send(f"{BEGIN[name]}\nPS1=READY'> '\n")
        self._wait(re.compile("READY> "))

    def complete(self, typed: str) -> list[str]:
        """The arguments that the shell runs `reconcile` with."""
        self._send(f"reconcile {typed}\t")
        self._send("\n")
        return re.findall(r"\[([^\]]*)\]", self._wait(_RAN)[1])

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)

    def _send(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def _wait(self, wanted: re.Pattern[str]) -> re.Match[str]:
        seen = ""
        while not (found := wanted.search(seen)):
            if not select.select([self._terminal], [], [], WAIT_SECONDS)[0]:
                pytest.fail(f"the shell did not answer: {seen!r}")
            seen += os.read(self._terminal, 4096).decode("utf-8", "replace")
        return found


class Fish:
    """fish, which needs no terminal to say what it would offer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def complete(self, typed: str) -> list[str]:
        """The arguments as typed, the last one completed by all that is offered."""
        ask = "source script; complete -C $argv[1]"
        asked = [find_shell("fish"), "--no-config", "-c", ask, "--", f"reconcile {typed}"]
        said = subprocess.run(
            asked, cwd=self._folder, env=_environ(self._folder), capture_output=True, text=True, check=True
        )
        assert said.stderr == ""
        offered = [line.partition("\t")[0] for line in said.stdout.splitlines()]
        *before, begun = typed.split()
        return [*before, *(offered or [begun])]

    def close(self) -> None:
        """Nothing is left running."""


def open_shell(name: str, folder: Path, script: str, files: Sequence[str] = ()) -> Terminal | Fish:
    """The shell in the folder, in which the files are made. Skips the test, or fails it in CI, when there is none."""
    assert name in SHELLS
    (folder / "script").write_text(script)
    program = folder / "reconcile"
    program.write_text(_PROGRAM)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for file in files:
        (folder / file).touch()
    return Fish(folder) if name == "fish" else Terminal(name, folder)


def find_shell(name: str) -> str:
    """Its path. Skips the test, or fails it in CI, when there is none."""
    return shutil.which(name) or skip_or_fail(f"no {name}: install the package of that name")


def _environ(folder: Path) -> dict[str, str]:
    return {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "HOME": str(folder),
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
        "RECONCILE_ROWS__FILE": "rows.db",
    }
