"""A real fish says what it would complete."""

import subprocess
from pathlib import Path

import pytest

from engine.commandline.completion.fish import fish_script
from engine.commandline.completion.places import all_places
from engine.commandline.parser import build_grammar
from tests.commandline.shells import COMPLETED, find_shell, make_folder

pytestmark = pytest.mark.process

ASK = "source script; complete -C $argv[1]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("fish")
    make_folder(made, fish_script(tuple(all_places(build_grammar().parser))))
    return made


@pytest.mark.parametrize("typed", COMPLETED)
def test_it_completes(typed: str, folder: Path) -> None:
    asked = [find_shell("fish"), "--no-config", "-c", ASK, "--", f"reconcile {typed}"]
    said = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=True)
    assert said.stderr == ""
    offered = [line.partition("\t")[0] for line in said.stdout.splitlines()]
    *before, begun = typed.split()
    assert "/".join([*before, *(offered or [begun])]) + "/" == COMPLETED[typed]
