"""`engine/SAFETY.md` names tests; they exist, so that a promise does not outlive what holds it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAFETY = (ROOT / "engine" / "SAFETY.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", SAFETY)


def test_every_test_that_is_named_exists() -> None:
    missing = [
        f"{path}::{name}" if name else path
        for path, name in NAMED
        if not (ROOT / path).exists() or (name and f"def {name}(" not in (ROOT / path).read_text())
    ]
    assert missing == []


def test_every_fault_has_a_test() -> None:
    rows = [line for line in SAFETY.splitlines() if line.startswith("| ") and "---" not in line]
    without = [row for row in rows if "`tests/" not in row.rpartition(" | ")[2]]
    assert [row for row in without if not row.startswith(("| fault |", "| guarantee |"))] == []
    assert len(NAMED) > 30
