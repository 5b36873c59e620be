"""What may be written on the command line, and how it is refused."""

import re

import pytest

from engine.commandline.arguments.arguments import COMMANDS, Arguments, DeleteLimit
from engine.commandline.arguments.parser import build_grammar, parse


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as ended:
        parse(list(argv))
    assert ended.value.code == 64
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_without_arguments_one_pass_is_requested() -> None:
    arguments = parse([])
    assert arguments.command is None
    assert (arguments.format, arguments.dry_run, arguments.full) == ("text", False, False)


@pytest.mark.parametrize("argv", [["--json", "drift"], ["drift", "--json"], ["drift", "--format", "json"]])
def test_options_work_before_and_after_a_command(argv: list[str]) -> None:
    arguments = parse(argv)
    assert (arguments.command, arguments.format) == ("drift", "json")


def test_an_option_before_the_command_survives_another_one_behind_it() -> None:
    arguments = parse(["--rows", "a.db", "config", "show", "--records", "none"])
    assert (arguments.command, arguments.config_command) == ("config", "show")
    assert (arguments.rows, arguments.records) == ("a.db", "none")


def test_every_option_has_a_default_and_every_default_an_option() -> None:
    parsed = {name for name in vars(Arguments) if not name.startswith("_")}
    grammar = build_grammar()
    destinations = {
        option.removeprefix("--").replace("-", "_") for option in grammar.options if option.startswith("--")
    }
    assert destinations - {"help", "version", "json"} == parsed - {
        "command",
        "config_command",
        "key",
        "shell",
        "topic",
        "store_command",
        "site_command",
        "fleet_command",
        "topics_command",
        "name",
        "file",
    }
    assert grammar.parser.prog == "reconcile"


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_the_grammar_of_one_command_equals_its_part_of_the_whole_grammar(command: str | None) -> None:
    part, whole = build_grammar([command] if command else []), build_grammar()
    if command is None:
        assert part.parser.format_help() == whole.parser.format_help()
    else:
        assert part.commands[command].format_help() == whole.commands[command].format_help()
        assert part.accepts(command) == whole.accepts(command)


def test_no_option_takes_a_secret() -> None:
    assert not [option for option in build_grammar().options if re.search("token|password|secret", option)]


@pytest.mark.parametrize(
    ("argv", "reported"),
    [
        (["--dryrun"], "Error: --dryrun is not an option of reconcile.\nDid you mean --dry-run?\n"),
        (["--sorce", "x"], "Error: --sorce is not an option of reconcile.\nDid you mean --source?\n"),
        (["drfit"], "Error: 'drfit' is not a command of reconcile.\nDid you mean drift?\n"),
        (
            ["--detailed-exitcode", "serve", "--shards", "1/2"],
            "Error: --shards is not an option of reconcile.\nDid you mean --shard?\n",
        ),
        (["--force"], "Error: --force is not an option of `reconcile`.\n"),
        (["drift", "--jsn"], "Error: --jsn is not an option of reconcile.\nDid you mean --json?\n"),
        (["drift", "--prune-foreign"], "Error: --prune-foreign is not an option of `reconcile drift`.\n"),
        (["--dry-run", "show", "x"], "Error: --dry-run is not an option of `reconcile show`.\n"),
        (["--only", "device", "doctor"], "Error: --only is not an option of `reconcile doctor`.\n"),
        (["--json", "healthcheck"], "Error: --format is not an option of `reconcile healthcheck`.\n"),
        (["store"], "Error: The following arguments are required: snapshot|restore.\n"),
        (["store", "snapshot"], "Error: The following arguments are required: FILE.\n"),
        (["store", "restore", "x", "--force"], "Error: --force is not an option of `reconcile store`.\n"),
        (["show", "x", "y"], "Error: y is one argument too many for `reconcile show`.\n"),
        (["config"], "Error: The following arguments are required: show.\nSee `reconcile config --help`"),
        (
            ["show"],
            "Error: The following arguments are required: KEY.\nSee `reconcile show --help`.\n",
        ),
        (
            ["--only", "devices"],
            "Error: Argument --only: 'devices' is not a registry; did you mean device?\n",
        ),
        (["--plan", "a", "--plan-out", "b"], "Error: --plan and --plan-out are mutually exclusive.\n"),
        (["--source"], "Error: Argument --source: expected one argument.\n"),
        (["--prune"], "Error: --prune is not an option of reconcile.\n"),
        (["--rows", "\udcff.db"], "Error: The argument '\\udcff.db' is not UTF-8.\n"),
        (["--color", "sometimes"], "Error: Argument --color: invalid choice: 'sometimes'"),
    ],
)
def test_a_usage_error_is_one_message_one_hint_and_64(
    argv: list[str], reported: str, capsys: pytest.CaptureFixture[str]
) -> None:
    err = refused(capsys, *argv)
    assert err.startswith(reported)
    assert len(err.splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("0", DeleteLimit(0, None)),
        ("412", DeleteLimit(412, None)),
        ("50%", DeleteLimit(None, 0.5)),
        ("2.5%", DeleteLimit(None, 0.025)),
        ("100%", DeleteLimit(None, 1.0)),
    ],
)
def test_a_delete_limit_is_a_number_or_a_share(text: str, limit: DeleteLimit) -> None:
    assert parse(["--max-delete", text]).max_delete == limit


@pytest.mark.parametrize("text", ["", "x", "-1", "101%", "1.5", "%", "1e3", "٣", "nan%"])
def test_no_other_delete_limit_is_taken(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, f"--max-delete={text}")
