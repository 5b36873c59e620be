"""Examples can be run, `help` is a command, and a made-up option leads to its setting."""

import pytest

from engine.commandline.arguments.arguments import COMMANDS
from engine.commandline.arguments.examples import EXAMPLES, epilog, setting_hint, without_help
from engine.commandline.arguments.parser import parse


def test_every_command_has_examples_that_can_be_run() -> None:
    assert set(EXAMPLES) == {"", *COMMANDS}
    for examples in EXAMPLES.values():
        for line, _ in examples:
            program, *words = line.partition(" > ")[0].split()
            assert program == "reconcile"
            parse(words)
    assert "light.kitchen" in epilog("show")
    assert epilog("nothing") == ""


def test_help_is_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert without_help(["help"]) == ["--help"]
    assert without_help(["show", "help"]) == ["show", "help"]
    for argv, reported in ((["help"], "examples:"), (["help", "show"], "reconcile show light.kitchen")):
        with pytest.raises(SystemExit) as ended:
            parse(argv)
        assert ended.value.code == 0
        assert reported in capsys.readouterr().out


def test_an_option_that_is_a_setting_names_the_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["serve", "--http-port", "8100"])
    assert "RECONCILE_HTTP__PORT" in capsys.readouterr().err
    assert setting_hint("--nothing") is None
