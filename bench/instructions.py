"""Instructions of five hot paths, held below ceilings: a measure that holds on a busy machine, where time does not.

    python -m bench.instructions [--entities 1300]

Each path is a whole process under callgrind, over a seeded home as a recording and a SQLite file, no records replica. A count
hardly depends on the machine, but on the interpreter, so there are ceilings for one version of Python only.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure, publish
from bench.registries import capture_files, make_home
from bench.service.bench_processes import ROOT, environment

ENTITIES = 1_300
# Millions of instructions, a tenth above what was counted on 2026-11-29.
CEILINGS = {
    "--help": 145.0,
    "pass, first fill": 1_190.0,
    "pass, unchanged": 580.0,
    "pass, 1 % changed": 710.0,
    "pass, without cache": 845.0,
}
_PYTHON = (3, 11)
_COUNT = re.compile(rb"Collected : (\d+)")


def count(argv: Sequence[str], folder: Path) -> int:
    """The instructions of one process of the program, whose bytecode is there."""
    command = [sys.executable, "-m", "engine", *argv]
    surroundings = {**environment(), "PYTHONHASHSEED": "0"}
    valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / 'profile'}"]
    ended = subprocess.run(  # noqa: S603
        [*valgrind, *command], check=True, capture_output=True, cwd=ROOT, env=surroundings
    )
    found = _COUNT.search(ended.stderr)
    assert found is not None, ended.stderr
    return int(found[1])


def counts(folder: Path, entities: int) -> dict[str, int]:
    """Instructions by path."""
    for name, changed in (("first", 0.0), ("second", 0.01)):
        (folder / name).mkdir()
        for file, body in capture_files(make_home(entities, changed=changed)).items():
            (folder / name / file).write_bytes(body)
    home, rows = folder / "home", folder / "rows.db"
    pass_ = ("--quiet", "--source", f"capture:{home}", "--rows", str(rows), "--records", "none")

    def point(target: str) -> None:
        home.unlink(missing_ok=True)
        home.symlink_to(target)

    point("first")
    # So that the bytecode of all that the others load is there.
    for argv in (["--help"], [*pass_[:-3], str(folder / "other.db"), "--records", "none"]):
        subprocess.run(  # noqa: S603
            [sys.executable, "-m", "engine", *argv],
            check=True,
            capture_output=True,
            cwd=ROOT,
            env=environment(),
        )
    found = {"--help": count(["--help"], folder), "pass, first fill": count(pass_, folder)}
    found["pass, unchanged"] = count(pass_, folder)
    point("second")
    found["pass, 1 % changed"] = count(pass_, folder)
    rows.with_name("rows.db.cache").unlink()
    found["pass, without cache"] = count(pass_, folder)
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Count, print and keep; ends with 1 where a ceiling is not kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entities", type=int, default=ENTITIES)
    entities = parser.parse_args(argv).entities
    is_held = entities == ENTITIES and sys.version_info[:2] == _PYTHON
    with tempfile.TemporaryDirectory() as directory:
        found = counts(Path(directory), entities)
    figures = [
        Figure(
            name=name,
            size=f"{entities:,} entities",
            value=number / 1e6,
            unit="million instructions",
            budget=CEILINGS[name] if is_held else None,
        )
        for name, number in found.items()
    ]
    publish("instructions", figures)
    if any(figure.verdict == "MISSED" for figure in figures):
        print("If the program has to do more, raise the ceiling in the same commit, and say why.")
        sys.exit(1)


if __name__ == "__main__":
    main()
