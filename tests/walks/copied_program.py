"""A copy of the program that is changed as a person would change it, and commands run by the copy."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "ops" / "sample" / "home-2026.11"

Insertions = Mapping[str, Sequence[tuple[str, str]]]
"""By file: the text to insert, and the text it precedes."""


class CopiedProgram:
    """The packages that a change may concern, in a folder of their own, with these insertions."""

    def __init__(
        self, folder: Path, insertions: Insertions, new_files: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        for package in ("engine", "api"):
            shutil.copytree(ROOT / package, folder / package, ignore=ignored)
        (folder / "ops").mkdir()
        for module in (ROOT / "ops").glob("*.py"):
            shutil.copy(module, folder / "ops")
        for name, put in insertions.items():
            text = (folder / name).read_text(encoding="utf-8")
            for new, anchor in put:
                assert text.count(anchor) == 1, f"{name} has no one {anchor!r}"
                text = text.replace(anchor, new + anchor)
            (folder / name).write_text(text, encoding="utf-8")
        for name, text in (new_files or {}).items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")

    def python(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A process of Python in `folder` that imports the copy; what only the tests have is imported from here."""
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (self.folder, ROOT)))}
        return subprocess.run(
            [sys.executable, "-P", *arguments],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def reconcile(self, folder: Path, *arguments: str, code: int = 0) -> str:
        """What the copy's command prints, if it ends with this code."""
        ran = self.python(folder, "-m", "engine", *arguments)
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    def page(self, folder: Path, name: str) -> str:
        """A page of docs/reference, as `sh ops/docs` would write it."""
        ran = self.python(folder, "-c", f"from ops.documentation import PAGES; print(PAGES[{name!r}]())")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout
