"""A count and its noun agree: "1 record", "2 records"."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.counts import plural

ROOT = Path(__file__).parents[2]
_NOUNS = (
    "areas batches brokers categories changes columns days deletes devices differences entities entries events fields files hours homes "
    "members messages minutes months operations partitions passes points processes records revisions rows "
    "seconds settings times topics versions"
)
_COUNTED = re.compile(rf"^ (more |config |foreign )?({'|'.join(_NOUNS.split())})\b")


def test_a_noun_follows_its_number() -> None:
    assert [plural(n, "record") for n in (0, 1, 2_000_000)] == ["0 records", "1 record", "2000000 records"]
    assert [plural(n, "second") for n in (1.0, 0.5)] == ["1 second", "0.5 seconds"]
    assert [plural(n, "second", ".0f") for n in (1.4, 61.2)] == ["1 second", "61 seconds"]
    assert [plural(n, "entry", many="entries") for n in (1, 2)] == ["1 entry", "2 entries"]
    assert plural(1_005, "version", ",") == "1,005 versions"


@pytest.mark.slow
def test_no_sentence_counts_without_it() -> None:
    """An f-string with a number that may be 1 before a plural. "3 of 7 records" counts the 7 and a constant is no 1."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for folder in ("engine", "api")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, text in _counting(ast.parse(path.read_text()))
    ]
    assert found == []


def _counting(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.JoinedStr):
            continue
        before = ""
        for part, behind in zip(node.values, [*node.values[1:], None], strict=True):
            if isinstance(part, ast.Constant):
                before = str(part.value)
            elif isinstance(part, ast.FormattedValue) and isinstance(behind, ast.Constant):
                if (
                    _COUNTED.match(str(behind.value))
                    and not before.endswith(" of ")
                    and not re.search(r"\b_?[A-Z][A-Z_]+\b", ast.unparse(part.value))
                ):
                    yield node.lineno, ast.unparse(part) + str(behind.value)[:20]
                before = ""
