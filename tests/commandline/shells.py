"""Real shells, asked what they make of a line when Tab is pressed.

bash and zsh complete in a terminal only, so they get one. `reconcile` is a function there that prints its
arguments: a line is typed, Tab and Enter are pressed, and what was run is what was completed.
"""

import os
import pty
import re
import select
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.availability import skip_or_fail

# What is typed, and the arguments it becomes on Tab, each followed by a slash. In the folder are FILES.
FILES = ("my home.db", "other")
COMPLETED = {
    "dr": "drift/",
    "config sh": "config/show/",
    "store sn": "store/snapshot/",
    "--form": "--format/",
    "--format js": "--format/json/",
    "--format=js": "--format=json/",
    "drift --col": "drift/--color/",
    "config show --jso": "config/show/--json/",
    "--only flo": "--only/floor/",
    "--only floor,lab": "--only/floor,label/",
    "completion z": "completion/zsh/",
    "drift --rows my": "drift/--rows/my home.db/",
    "--rows=my": "--rows=my home.db/",
    "store restore my": "store/restore/my home.db/",
    "--rows drift ser": "--rows/drift/serve/",  # an option's value is no command
    "serve --dry": "serve/--dry/",  # no option of this command
    "--site o": "--site/o/",  # a name is no file
    "show o": "show/o/",
    "drift o": "drift/o/",
}
WAIT_SECONDS = 60.0  # a ceiling for a loaded machine; a shell answers at once
_SAID = re.compile(r"RAN((?: \[[^\]]*\])*) END\r\n.*READY> ", re.DOTALL)
_SHOW = r"""reconcile() { printf 'RAN'; printf ' [%s]' "$@"; printf ' END\n'; }"""


class Shell:
    """An interactive shell in a terminal, in a folder, with the completion script read."""

    def __init__(self, argv: list[str], begin: str, folder: Path) -> None:
        self._terminal, inside = pty.openpty()
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(
            argv, stdin=inside, stdout=inside, stderr=inside, cwd=folder, env=environ, start_new_session=True
        )
        os.close(inside)
        # The prompt is put together by the shell, so that the echo of this line does not look like it.
        self._send(f"{begin}\n{_SHOW}\nPS1=READY'> '\n")
        self._wait(re.compile("READY> "))

    def complete(self, typed: str) -> str:
        """The arguments that the shell runs `reconcile` with, each followed by a slash."""
        self._send(f"reconcile {typed}\t")
        self._send("\n")
        return "".join(f"{word}/" for word in re.findall(r"\[([^\]]*)\]", self._wait(_SAID)[1]))

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


def find_shell(name: str) -> str:
    """Its path. Skips the test, or fails it in CI, when there is none."""
    return shutil.which(name) or skip_or_fail(f"no {name}: install the package of that name")


def make_folder(folder: Path, script: str) -> None:
    """Put the script and FILES there."""
    (folder / "script").write_text(script)
    for name in FILES:
        (folder / name).touch()
