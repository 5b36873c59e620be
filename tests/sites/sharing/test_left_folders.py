"""Folders of homes that moved away: a cache for some days, and then removed as far as nothing is lost."""

import os
from pathlib import Path

import anyio
import apsw
import pytest

from engine.files.store_lock import hold_store
from engine.sites.sharing import left_folders as module
from engine.sites.sharing.left_folders import keep_removing, left_before, mark_left, remove_left
from tests.api.serving import eventually, write_sample
from tests.homes import NOON


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """One home with rows and a history, that was given up at NOON."""
    folder = tmp_path / "state" / "one"
    folder.mkdir(parents=True)
    anyio.run(write_sample, folder / "rows.db")
    mark_left(tmp_path / "state", ["one", "never"])
    for path in folder.iterdir():
        os.utime(path, (NOON, NOON))
    return tmp_path / "state"


def test_rows_that_can_be_had_again_go_with_their_folder(state: Path) -> None:
    assert left_before(state, NOON - 1) == []
    assert left_before(state, NOON) == ["one"]
    assert remove_left(state / "one")
    assert list(state.iterdir()) == []


def test_a_history_and_all_other_files_stay(state: Path) -> None:
    for name in ("history.db", "paused", "notes.txt"):
        (state / "one" / name).write_text("x", encoding="utf-8")
    assert remove_left(state / "one")
    assert sorted(path.name for path in (state / "one").iterdir()) == ["history.db", "notes.txt", "paused"]
    assert left_before(state, NOON + 1e9) == []


def test_a_folder_that_was_not_given_up_in_an_orderly_way_is_not_looked_at(state: Path) -> None:
    (state / "one" / ".left").unlink()
    assert left_before(state, NOON + 1e9) == []


def test_rows_that_another_program_changed_since_are_kept(state: Path) -> None:
    os.utime(state / "one" / "rows.db", (NOON + 1, NOON + 1))
    assert left_before(state, NOON + 1e9) == []


def test_a_link_is_not_followed(state: Path, tmp_path: Path) -> None:
    (state / "one").rename(tmp_path / "elsewhere")
    (state / "one").symlink_to(tmp_path / "elsewhere")
    assert left_before(state, NOON + 1e9) == []
    folder = state / "two"
    folder.mkdir()
    (folder / "rows.db").symlink_to(tmp_path / "elsewhere" / "rows.db")
    assert not remove_left(folder)
    assert (tmp_path / "elsewhere" / "rows.db").exists()


def test_what_another_program_added_is_kept(state: Path) -> None:
    connection = apsw.Connection(str(state / "one" / "rows.db"))
    connection.execute("CREATE TABLE notes (text)")
    connection.close()
    assert not remove_left(state / "one")
    assert (state / "one" / "rows.db").exists()


def test_a_home_that_is_kept_again_and_a_file_that_is_none_are_left_alone(state: Path) -> None:
    with hold_store(state / "one" / "rows.db"):
        assert not remove_left(state / "one")
    (state / "one" / "rows.db").write_bytes(b"no database" * 1000)
    assert not remove_left(state / "one")
    assert (state / "one" / "rows.db").exists()


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("days", "is_elsewhere", "goes"), [(3, True, True), (3, False, False), (0, True, False)]
)
async def test_it_is_removed_only_while_another_process_keeps_the_home(
    state: Path, monkeypatch: pytest.MonkeyPatch, days: int, *, is_elsewhere: bool, goes: bool
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.001)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_removing, state, days, lambda _name: is_elsewhere)
        if goes:
            await eventually(lambda: not (state / "one").exists())
        else:
            for _ in range(20):
                await anyio.sleep(0.001)
            assert (state / "one" / "rows.db").exists()
        tasks.cancel_scope.cancel()
