"""`reconcile site`: its reports on homes and their files, and its refusals."""

import json
from pathlib import Path

import pytest

from tests.commandline.homes import Home
from tests.commandline.in_process import Reconcile


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    text = '[sites]\ndirectory = "sites.d"\nstate = "state"\n'
    (tmp_path / "reconcile.toml").write_text(text, encoding="utf-8")
    (tmp_path / "sites.d").mkdir()
    return tmp_path


def test_a_home_is_added_listed_and_checked(reconcile: Reconcile, home: Home) -> None:
    assert reconcile("site", "list").out == "There are no homes.\n"
    added = reconcile("site", "add", "first", "--source", home.source, "--label", 'A "b"\n', "--tags", "x,y")
    assert (added.code, added.out.split(".toml")[0]) == (0, "Added sites.d/first")
    assert "token" not in added.out
    assert reconcile("site", "list").out == f"ready   first  {home.source}\n"
    (line,) = json.loads(reconcile("site", "check", "--json").out)["sites"]
    assert (line["state"], line["label"], line["tags"]) == ("ok", 'A "b"\n', ["x", "y"])


def test_a_home_that_cannot_be_reached_fails_its_check_and_no_other(reconcile: Reconcile, home: Home) -> None:
    reconcile("site", "add", "good", "--source", home.source)
    reconcile("site", "add", "gone", "--source", "capture:nowhere")
    answer = reconcile("site", "check")
    assert answer.code == 1
    assert "ok      good" in answer.out
    assert "failed  gone" in answer.out
    assert reconcile("site", "check", "good").code == 0


def test_a_home_that_needs_a_token_is_added_with_the_place_of_it(reconcile: Reconcile) -> None:
    added = reconcile("site", "add", "far", "--source", "ws://127.0.0.1:9")
    assert "Put its token into source.token_file." in added.out


def test_a_broken_file_is_listed_with_its_fault(reconcile: Reconcile, folder: Path) -> None:
    (folder / "sites.d" / "odd.toml").write_text("x = 1", encoding="utf-8")
    answer = reconcile("site", "list")
    assert answer.code == 1
    assert answer.out.startswith("invalid odd  Unknown setting x in sites.d/odd.toml.")


def test_a_paused_home_with_a_broken_file_stays_paused_and_reports_the_fault(
    reconcile: Reconcile, home: Home, folder: Path
) -> None:
    reconcile("site", "add", "first", "--source", home.source)
    reconcile("site", "pause", "first")
    (folder / "sites.d" / "first.toml").write_text("x = 1", encoding="utf-8")
    assert (
        reconcile("site", "list").out == "paused  first  "
        "Unknown setting x in sites.d/first.toml. `reconcile config show` lists all settings.\n"
    )


def test_a_home_is_paused_removed_and_forgotten(reconcile: Reconcile, home: Home, folder: Path) -> None:
    reconcile("site", "add", "first", "--source", home.source)
    assert reconcile("site", "pause", "first").out == "first is paused.\n"
    assert reconcile("site", "pause", "first").out == "first was already paused.\n"
    assert reconcile("site", "list").out.startswith("paused  first")
    assert reconcile("site", "resume", "first").out == "first is no longer paused.\n"
    assert reconcile("site", "resume", "first").out == "first was not paused.\n"
    assert "Run `reconcile site remove first` first." in reconcile("site", "forget", "first").err
    assert reconcile("site", "remove", "first").code == 0
    assert (folder / "state" / "first").is_dir()
    assert reconcile("site", "forget", "first").out == "Deleted state/first.\n"
    assert not (folder / "state" / "first").exists()


def test_stores_are_not_deleted_while_a_broken_file_may_be_of_their_home(
    reconcile: Reconcile, folder: Path
) -> None:
    (folder / "state" / "first").mkdir(parents=True)
    (folder / "sites.d").mkdir(exist_ok=True)
    (folder / "sites.d" / "mill.toml").write_text('[site]\nname = "first"\n[', encoding="utf-8")
    assert "cannot be read and has its name" in reconcile("site", "forget", "first").err
    assert (folder / "state" / "first").is_dir()


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (("add", "No Name", "--source", "x:y"), 1, "cannot be the name of a home"),
        (("add", "first"), 1, "Give it with --source"),
        (("forget", "../.."), 1, "cannot be the name of a home"),
        (("forget", "never"), 1, "There is no folder"),
        (("pause", "never"), 1, "There is no home called never"),
        (("remove", "never"), 1, "There is no home called never"),
        (("check", "never"), 1, "There is no home called never"),
        (("pause",), 64, "Which home?"),
        (("explode",), 64, "invalid choice"),
    ],
)
def test_invalid_arguments_are_refused_in_one_clear_sentence(
    reconcile: Reconcile, argv: tuple[str, ...], code: int, said: str
) -> None:
    answer = reconcile("site", *argv)
    assert answer.code == code
    assert said in answer.err


def test_a_home_is_not_added_twice_or_with_invalid_settings(
    reconcile: Reconcile, home: Home, folder: Path
) -> None:
    assert reconcile("site", "add", "first", "--source", home.source).code == 0
    assert "already exists" in reconcile("site", "add", "first", "--source", home.source).err
    assert reconcile("site", "add", "odd", "--source", home.source, "--tags", "No Tag").code == 1
    assert "names no source" in reconcile("site", "add", "odd", "--source", "foo").err
    assert "write storage:/config" in reconcile("site", "add", "odd", "--source", "/config").err
    assert not (folder / "sites.d" / "odd.toml").exists()


def test_without_a_folder_of_homes_it_names_the_setting(reconcile: Reconcile, folder: Path) -> None:
    (folder / "reconcile.toml").unlink()
    assert "Set sites.directory" in reconcile("site", "list").err


def test_other_commands_say_which_home_they_are_about(reconcile: Reconcile, home: Home) -> None:
    reconcile("site", "add", "first", "--source", home.source)
    reconcile("site", "add", "second", "--source", home.source)
    assert "Choose one with --site NAME" in reconcile().err
    assert "There is no home called 'third'" in reconcile("--site", "third").err
    assert "`reconcile serve` makes it" in reconcile("--site", "second").err
    assert "Correct the name" in reconcile("--site", "second", "--rows", "sttae/rows.db").err
    (Path("state") / "second").mkdir(parents=True)
    assert reconcile("--site", "second").code == 0
    assert (Path("state") / "second" / "rows.db").exists()
    assert reconcile("--site", "second", "--source", "records", "--rows", "rebuilt.db").code == 0
    assert "205 records" in reconcile("drift", "--site", "second", "--rows", "rebuilt.db").out
    assert not (Path("state") / "first").exists()
