"""Wiring: every form of a source is found by its URI, and an error names the setting to change."""

from pathlib import Path

import pytest

from engine.composition.run import new_run_id
from engine.composition.sources import open_source
from engine.composition.stores import check_folders, open_stores
from engine.errors import SettingsError
from engine.settings.layers import load_settings
from engine.settings.sections import LoadedSettings


def loaded(tmp_path: Path, token: str = "token", **flags: str) -> LoadedSettings:
    named = {name.replace("__", "."): value for name, value in flags.items()}
    environ = {"RECONCILE_SOURCE__TOKEN": token} if token else {}
    return load_settings(named, environ, None, tmp_path)


@pytest.mark.parametrize(
    ("uri", "kind", "origin"),
    [
        ("ws://home:8123", "WebsocketSource", "ws://home:8123/api/websocket"),
        ("https://home.example", "WebsocketSource", "wss://home.example/api/websocket"),
        ("storage:/config/.storage", "StorageSource", "storage:/config/.storage"),
        ("backup:home.tar", "BackupSource", "backup:home.tar"),
        ("capture:recorded", "CaptureSource", "capture:recorded"),
    ],
)
def test_the_uri_chooses_the_source(tmp_path: Path, uri: str, kind: str, origin: str) -> None:
    source = open_source(loaded(tmp_path, source__uri=uri))
    assert type(source).__name__ == kind
    assert source.origin == origin


@pytest.mark.parametrize("uri", ["", "home:work", "ftp://home", "user:hunter2@home"])
def test_an_invalid_source_is_refused_with_an_example(tmp_path: Path, uri: str) -> None:
    with pytest.raises(SettingsError, match=r"ws://HOST:8123") as caught:
        open_source(loaded(tmp_path, source__uri=uri))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "reported"), [("/config", "storage:/config"), ("old/2026.tar", "backup:old/2026.tar")]
)
def test_a_path_without_a_kind_of_source_is_refused_with_the_likely_one(
    tmp_path: Path, uri: str, reported: str
) -> None:
    with pytest.raises(SettingsError, match=reported):
        open_source(loaded(tmp_path, source__uri=uri))


def test_a_live_source_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="RECONCILE_SOURCE__TOKEN"):
        open_source(loaded(tmp_path, token="", source__uri="ws://home:8123"))


def test_opening_the_stores_makes_no_file(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path, rows__file=str(tmp_path / "rows.db"), records__uri=f"history:{tmp_path / 'history.db'}"
    )
    with open_stores(settings) as stores:
        assert stores.rows.observe().versions == {}
        assert stores.records is not None
        assert stores.records.observe().versions == {}
    assert list(tmp_path.iterdir()) == []


def test_records_may_be_left_out(tmp_path: Path) -> None:
    with open_stores(loaded(tmp_path, rows__file=str(tmp_path / "r.db"), records__uri="none")) as stores:
        assert stores.records is None


def test_records_that_are_no_store_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(SettingsError, match=r"records\.uri"),
        open_stores(loaded(tmp_path, rows__file=str(tmp_path / "r.db"), records__uri="postgres:x")),
    ):
        pass


def test_run_ids_sort_by_time_and_differ_within_a_second() -> None:
    early, late, again = new_run_id(1_795_435_200.0), new_run_id(1_795_435_201.0), new_run_id(1_795_435_200.0)
    assert early < late
    assert early.startswith("20261123T120000Z-")
    assert early != again


@pytest.mark.parametrize("is_there", [True, False])
def test_rows_and_history_in_one_file_are_refused(tmp_path: Path, is_there: bool) -> None:
    rows, link = tmp_path / "r.db", tmp_path / "h.db"
    link.symlink_to(rows)
    if is_there:
        rows.touch()
    with (
        pytest.raises(SettingsError, match="the same file"),
        open_stores(loaded(tmp_path, rows__file=str(rows), records__uri=f"history:{link}")),
    ):
        pass


@pytest.mark.parametrize(
    ("setting", "value"), [("rows__file", "{}/dta/rows.db"), ("records__uri", "history:{}/dta/history.db")]
)
def test_a_store_in_a_folder_that_is_not_there_is_refused_by_the_folder(
    tmp_path: Path, setting: str, value: str
) -> None:
    given = loaded(tmp_path, **{setting: value.format(tmp_path)}).settings
    with pytest.raises(SettingsError, match=f"no folder {tmp_path}/dta") as caught:
        check_folders(given)
    assert caught.value.hint.endswith(f"mkdir -p {tmp_path}/dta")
    assert not (tmp_path / "dta").exists()
    (tmp_path / "dta").mkdir()
    check_folders(given)


def test_the_default_places_and_other_records_stores_need_no_folder(tmp_path: Path) -> None:
    check_folders(loaded(tmp_path).settings)
    check_folders(loaded(tmp_path, records__uri="influxdb://db:8086/bucket").settings)
