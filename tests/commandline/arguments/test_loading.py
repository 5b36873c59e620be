"""Which settings the arguments name, and that they win."""

from pathlib import Path

import pytest

from engine.commandline.arguments.loading import given_settings, load, working_folder
from engine.commandline.arguments.parser import parse
from engine.errors import SettingsError
from engine.settings.sections import documented_settings


def test_only_given_arguments_are_set() -> None:
    assert given_settings(parse([])) == {}
    assert given_settings(parse(["--dry-run", "--json", "--full"])) == {}


def test_every_option_sets_its_setting() -> None:
    valued = ["--source=capture:x", "--rows=r.db", "--records=none", "--site=cabin", "--only=device,area"]
    plain = ["--observe", "--allow-empty", "--allow-new-instance", "--prune-foreign", "--max-delete=5"]
    given = given_settings(parse([*valued, *plain]))
    assert given == {
        "source.uri": "capture:x",
        "rows.file": "r.db",
        "records.uri": "none",
        "site.name": "cabin",
        "source.registries": ["device", "area"],
        "plan.mode": "observe",
        "plan.allow_empty": True,
        "plan.allow_new_instance": True,
        "plan.prune_foreign": True,
        "plan.delete_count_max": 5,
        "plan.delete_few_max": 5,
    }
    assert given.keys() <= {s.name for s in documented_settings()}


@pytest.mark.parametrize(("limit", "ratio", "few"), [("0%", 0.0, 0), ("30%", 0.3, 0)])
def test_a_share_of_deletes_holds_for_few_records_too(limit: str, ratio: float, few: int) -> None:
    policy = load(parse(["--max-delete", limit])).settings.plan
    assert (policy.delete_ratio_max, policy.delete_few_max) == (ratio, few)


def test_a_number_of_deletes_may_be_none() -> None:
    policy = load(parse(["--max-delete", "0"])).settings.plan
    assert (policy.delete_count_max, policy.delete_few_max) == (0, 0)


def test_arguments_win_over_environment_and_file(
    nobodys_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nobodys_machine / "own.toml").write_text('[site]\nname = "file"\n[rows]\nfile = "file.db"\n')
    monkeypatch.setenv("RECONCILE_SITE__NAME", "environment")
    loaded = load(parse(["--config", "own.toml", "--site", "flag"]))
    assert (loaded.settings.site.name, loaded.settings.rows.file) == ("flag", "file.db")
    assert loaded.origins == {"site.name": "flag", "rows.file": "own.toml"}


def test_a_value_that_is_not_utf8_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILE_ROWS__FILE", "\udcff.db")
    with pytest.raises(SettingsError, match=r"rows\.file"):
        load(parse([]))


def test_a_deleted_working_folder_matters_only_to_relative_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert working_folder() is None
    named = [f"--source=storage:{tmp_path}", f"--rows={tmp_path}/r.db"]
    assert (
        load(parse([*named, f"--records=history:{tmp_path}/h.db"])).settings.rows.file == f"{tmp_path}/r.db"
    )
    for wrong in (["--source=backup:b.tar"], ["--rows=r.db"], ["--records=history:h.db"]):
        with pytest.raises(SettingsError, match="no longer exists"):
            load(parse([*named, f"--records=history:{tmp_path}/h.db", *wrong]))
