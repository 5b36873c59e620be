"""The scores of mutation in CONTRIBUTING.md name every module of `engine/core` and `engine/loop`, and add up."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# | `core/state/hints` | 67 | 67 | 0 | what is left |
ROW = re.compile(
    r"^ *\| `((?:core|loop)/[a-z_/]+)` \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| (.*?) ?\|$", re.MULTILINE
)
MODULES = sorted(
    path.relative_to(ROOT / "engine").with_suffix("").as_posix()
    for folder in ("core", "loop")
    for path in (ROOT / "engine" / folder).rglob("*.py")
    if path.name != "__init__.py"
)


def scores() -> dict[str, tuple[int, int, int, str]]:
    found = {}
    for name, mutants, killed, left, why in ROW.findall(TEXT):
        assert name not in found, f"{name} has two rows"
        found[name] = (int(mutants), int(killed), int(left), why)
    return found


def test_every_module_has_a_row_or_is_listed_as_one_without() -> None:
    without = re.findall(r"(?:No row|Not counted)[^:]*:\s(.*?)\.\s", TEXT, re.DOTALL)
    listed = set(re.findall(r"`([a-z_/]+)`", " ".join(without)))
    assert sorted({*scores(), *listed}) == MODULES
    assert not listed & scores().keys()


@pytest.mark.parametrize("name", scores())
def test_a_row_adds_up_and_says_why_something_is_left(name: str) -> None:
    mutants, killed, left, why = scores()[name]
    assert mutants == killed + left
    assert bool(why) == bool(left)
