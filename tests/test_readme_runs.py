"""The commands that README shows do what it shows: each is run in its order, and answers the same.

`sh ops/run` is the real script in a copy of the checkout; only the environment it would install is stood in for.
Times, ports and process ids differ, and `...` in README stands for any lines.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LIE = """python3 -c "
import sqlite3; db = sqlite3.connect('var/home.db', 60)
db.execute('UPDATE devices SET name = \\'Mocked lamp\\' WHERE name = \\'Bed Light\\'')
db.commit()"
"""


class Visitor:
    """Somebody with a fresh checkout, who types what README says."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        (checkout / "ops").mkdir(parents=True)
        shutil.copytree(ROOT / "ops" / "sample", checkout / "ops" / "sample")
        shutil.copy(ROOT / "ops" / "run", checkout / "ops" / "run")
        environment = "prepare_environment() { environment=$checkout/made; }\n"
        (checkout / "ops" / "environment.sh").write_text(environment)
        made = checkout / "made" / "bin"
        made.mkdir(parents=True)
        for name, program in (
            ("reconcile", f'"{sys.executable}" -m engine'),
            ("python3", f'"{sys.executable}"'),
        ):
            (made / name).write_text(f'#!/bin/sh\nexec {program} "$@"\n')
            (made / name).chmod(0o755)
        self.environ = {
            "PATH": f"{made}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
        }

    def type(self, command: str) -> str:
        """What the terminal shows."""
        if command.startswith("export "):
            self.environ |= dict(word.split("=", 1) for word in command.split()[1:])
            return ""
        ended = subprocess.run(
            ["sh", "-c", command],
            cwd=self.checkout,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        return ended.stdout

    def serve_until_healed(self, command: str) -> str:
        """What the service says: it starts, is lied to after its first pass, heals that, and is stopped."""
        said: list[str] = []
        service = subprocess.Popen(
            command.split(),
            cwd=self.checkout,
            env={**self.environ, "RECONCILE_HTTP__PORT": "0"},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert service.stderr is not None
            for line in service.stderr:
                if "difference found" in line and "difference found" not in "".join(said):
                    self.type(LIE)
                if "drift healed" in line:
                    service.send_signal(signal.SIGTERM)
                said.append(line)
        finally:
            service.kill()
            service.communicate()
        return "".join(said)


def shown(heading: str) -> list[str]:
    """The commands and answers below a heading: each the command, then its answer's lines."""
    section = re.split(r"(?m)^#+ ", README.split(f"{heading}\n", 1)[1])[0]
    found = []
    for language, block in re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", section):
        found += [block] if language == "sh" else re.split(r"(?m)^\$ ", block)[1:]
    assert found
    return found


def normal(text: str) -> str:
    """The text without what differs from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    text = re.sub(r"before-restore-\w+", "before-restore-TIME", text)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)


def is_shown(wanted: str, answer: str) -> bool:
    """Whether the answer is the wanted one, in which a line of dots stands for any number of lines."""
    parts = re.split(r"(?m)^ *\.\.\.\n", normal(wanted))
    return re.fullmatch(".*\n".join(re.escape(part) for part in parts), normal(answer), re.DOTALL) is not None


@pytest.fixture
def visitor(tmp_path: Path) -> Visitor:
    return Visitor(tmp_path / "checkout")


def test_what_readme_shows_is_what_is_answered(visitor: Visitor) -> None:
    headings = (
        "## Two commands",
        "### See it catch a lie",
        "### Copies of the SQLite file",
        "## The service",
    )
    for typed in (block for heading in headings for block in shown(heading)):
        command, _, wanted = typed.partition("\n")
        if "python3" in command:
            command, wanted = typed, ""
        answer = visitor.serve_until_healed(command) if "serve" in command else visitor.type(command)
        assert is_shown(wanted, answer), f"$ {command}\n{answer}"
