"""A refused command says which one, with which word, and what to do where something can be done."""

from engine.sources.answers.commands import CommandFailed


def test_it_names_the_command_and_home_assistants_own_word() -> None:
    failed = CommandFailed("config/floor_registry/list", "unknown_command", "Unknown command.")
    assert failed.code == "unknown_command"
    assert failed.message == (
        "Home Assistant refused config/floor_registry/list with unknown_command: Unknown command."
    )
    assert failed.hint == ""


def test_a_user_who_may_not_is_reported_of_another_token() -> None:
    assert "source.token_file" in CommandFailed("get_config", "unauthorized", "Unauthorized").hint
