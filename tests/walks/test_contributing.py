"""CONTRIBUTING names each file that a walk changes, and where else a walk leads exists."""

import re
from pathlib import PurePath

import pytest

from tests.walks import test_field, test_guard, test_metric, test_registry, test_replica
from tests.walks.copied_program import ROOT, Insertions

WALKS = {
    "A registry": test_registry.INSERTIONS,
    "A field": test_field.INSERTIONS,
    "A metric": test_metric.INSERTIONS,
    "A guard": test_guard.INSERTIONS,
    "A replica": test_replica.INSERTIONS | {name: [] for name in test_replica.NEW_FILES},
}


def walks() -> dict[str, str]:
    """The text of each walk."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("## Five walkthroughs")[2].partition("\n## ")[0]
    return dict(re.findall(r"(?ms)^- \*\*(.+?)\*\*: (.+?)(?=^- |\Z)", section))


def test_these_are_all_walks() -> None:
    assert walks().keys() == WALKS.keys()


@pytest.mark.parametrize("walk", WALKS)
def test_each_file_that_is_changed_is_named(walk: str) -> None:
    insertions: Insertions = WALKS[walk]
    for name in insertions:
        assert any(f"`{place}`" in walks()[walk] for place in (name, *map(str, PurePath(name).parents))), name


@pytest.mark.parametrize("walk", WALKS)
def test_what_is_named_exists(walk: str) -> None:
    named = re.findall(r"`((?:engine|api|ops|tests|docs)/[\w./-]+)`", walks()[walk])
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
