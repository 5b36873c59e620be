"""A real bash, in a terminal, completes what is typed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.commandline.completion.bash import bash_script
from engine.commandline.completion.places import all_places
from engine.commandline.parser import build_grammar
from tests.commandline.shells import COMPLETED, Shell, find_shell, make_folder

pytestmark = pytest.mark.process

BEGIN = "source ./script"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    bash = find_shell("bash")
    folder: Path = tmp_path_factory.mktemp("bash")
    make_folder(folder, bash_script(tuple(all_places(build_grammar().parser))))
    started = Shell([bash, "--norc", "--noprofile", "-i"], BEGIN, folder)
    yield started
    started.close()


@pytest.mark.parametrize("typed", COMPLETED)
def test_tab_completes(typed: str, shell: Shell) -> None:
    assert shell.complete(typed) == COMPLETED[typed]
