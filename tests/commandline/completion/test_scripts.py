"""`reconcile completion SHELL`: the whole grammar, as a script."""

import pytest

from engine.commandline.parser import COMMANDS, SHELLS, build_grammar
from tests.commandline.in_process import Reconcile


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_knows_every_command_and_option(shell: str, reconcile: Reconcile) -> None:
    code, script, err = reconcile("completion", shell)
    assert (code, err) == (0, "")
    assert script.startswith(("# ", "#compdef reconcile\n"))
    spelled = script.replace("-l ", "--").replace("-s ", "-")  # fish's way
    assert [name for name in (*COMMANDS, *build_grammar().options) if name not in spelled] == []


def test_another_shell_is_a_usage_error_that_names_those_there_are(reconcile: Reconcile) -> None:
    code, out, err = reconcile("completion", "tcsh")
    assert (code, out) == (64, "")
    assert all(shell in err for shell in SHELLS)
