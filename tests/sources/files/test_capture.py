"""Recorded command results: what is there is read, what is missing is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Device, Entity, Key
from engine.errors import SourceInvalid
from engine.sources.files.capture import CaptureSource
from tests.sources.recorded_homes import DATA, clock, quiet, recorded, write_capture

RICH = DATA / "2026.11.0" / "rich"
SAMPLE = Path(__file__).parents[3] / "ops" / "sample" / "home-2026.11"
pytestmark = pytest.mark.anyio


async def read(folder: Path) -> Snapshot:
    return await CaptureSource(folder, clock=clock).read(quiet)


def home(**results: Any) -> dict[str, Any]:
    """Bare results, by file name, of a small home; None leaves a file out."""
    complete = {
        "device_registry_list": [{"id": "d", "name": "Lamp"}],
        "entity_registry_list": [{"id": "e", "entity_id": "light.a", "unique_id": "u", "platform": "demo"}],
        **results,
    }
    return {name: result for name, result in complete.items() if result is not None}


async def test_a_read_is_true_up_to_its_begin_whenever_its_files_change(tmp_path: Path) -> None:
    """It was dated by its end, and so claimed a change that came after its file was read."""
    write_capture(tmp_path, home())
    times = iter(range(100))

    def later(what: str, _done: int, _total: int | None) -> None:
        next(times)
        if what == "entity list":
            write_capture(tmp_path, home(device_registry_list=[{"id": "d", "name": "Renamed"}]))

    snapshot = await CaptureSource(tmp_path, clock=lambda: float(next(times))).read(later)

    assert snapshot.reading.true_at == 0.0
    assert [r.name for r in snapshot.home.records.values() if isinstance(r, Device)] == ["Lamp"]


async def test_the_sample_is_the_recorded_home() -> None:
    assert (await read(SAMPLE)).home.hashes == (await read(RICH)).home.hashes


async def test_recovery_mode_is_reported_even_if_its_lists_look_complete(tmp_path: Path) -> None:
    answers = json.loads((DATA / "2026.11.0" / "recovery_mode_lists.json").read_text(encoding="utf-8"))
    names = {command: command.removeprefix("config/").replace("/", "_") for command in answers}

    snapshot = await read(write_capture(tmp_path, {names[c]: answer for c, answer in answers.items()}))

    assert snapshot.reading.health.recovery_mode is True
    assert snapshot.reading.health.state == "RUNNING"
    assert sum(key.registry == "device" for key in snapshot.home.records) == 1


async def test_two_files_are_enough_and_reveal_nothing_about_the_rest(tmp_path: Path) -> None:
    snapshot = await read(write_capture(tmp_path, home()))

    assert snapshot.reading.registries == {"device", "entity"}
    assert snapshot.home.records.keys() == {Key("device", "d"), Key("entity", "e")}
    assert snapshot.reading.health.recovery_mode is None


@pytest.mark.parametrize("name", ["device_registry_list", "entity_registry_list"])
async def test_a_missing_list_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match=f"{name}.json"):
        await read(write_capture(tmp_path, home(**{name: None})))


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match="nowhere"):
        await read(tmp_path / "nowhere")


async def test_an_unknown_command_is_an_absent_registry(tmp_path: Path) -> None:
    unknown = {"type": "result", "success": False, "error": {"code": "unknown_command", "message": "?"}}

    snapshot = await read(write_capture(tmp_path, home(floor_registry_list=unknown, label_registry_list=[])))

    assert snapshot.reading.registries == {"device", "entity", "label"}


async def test_another_failure_is_no_recording(tmp_path: Path) -> None:
    failed = {"type": "result", "success": False, "error": {"code": "unauthorized", "message": "No"}}

    with pytest.raises(SourceInvalid, match="unauthorized"):
        await read(write_capture(tmp_path, home(floor_registry_list=failed)))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'[{"id": "d"', id="truncated"),
        pytest.param(b'[{"id": "d", "name": "K\xfcche"}]', id="not UTF-8"),
        pytest.param(b'{"devices": []}', id="another shape"),
        pytest.param(b"5", id="no list"),
    ],
)
async def test_a_broken_file_is_refused(content: bytes, tmp_path: Path) -> None:
    write_capture(tmp_path, home())
    (tmp_path / "device_registry_list.json").write_bytes(content)

    with pytest.raises(SourceInvalid, match="device"):
        await read(tmp_path)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("device_registry_list", [{"id": "d"}, {"id": "d"}]),
        ("device_registry_list", [{"id": "d"}, {"name": "no id"}]),
        ("area_registry_list", [{"area_id": "a", "name": "A"}, {"area_id": "a", "name": "B"}]),
        ("entity_registry_list", [{"entity_id": "light.a"}]),
    ],
)
async def test_rows_without_an_id_or_with_the_same_are_set_aside(
    name: str, rows: list[Any], tmp_path: Path
) -> None:
    snapshot = await read(write_capture(tmp_path, home(**{name: rows})))

    assert {row.registry for row in snapshot.home.set_aside} == {name.partition("_")[0]}
    assert not snapshot.home.set_aside_keys & snapshot.home.records.keys()


@pytest.mark.parametrize("entries", [{}, {"light.a": None}])
async def test_an_entity_without_an_extended_row_is_read_from_the_list(
    entries: dict[str, Any], tmp_path: Path
) -> None:
    snapshot = await read(write_capture(tmp_path, home(entity_registry_get_entries=entries)))

    (key,) = snapshot.home.partly_read
    assert snapshot.home.records[key].key == key
    assert "aliases" in snapshot.home.partly_read[key]


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2024.3.3", "2026.11.0"])
async def test_without_a_version_the_aliases_show_their_form(version: str, tmp_path: Path) -> None:
    folder = DATA / version / "rich"
    names = ("device_registry_list", "entity_registry_list", "entity_registry_get_entries")
    reported = await read(folder)

    guessed = await read(write_capture(tmp_path, {name: recorded(folder, name) for name in names}))

    entities = {k: r for k, r in reported.home.records.items() if isinstance(r, Entity)}
    assert {k: r for k, r in guessed.home.records.items() if k.registry == "entity"} == entities


async def test_splits_and_repair_issues_are_read(tmp_path: Path) -> None:
    issues = {"issues": [{"issue_id": "storage_corruption_core.device_registry_2026-11-23T10:00:00+00:00"}]}
    splits = {"old": {"split_ids": ["b", "a"], "primary_id": "b"}, "older": {"split_ids": ["z", "y"]}}

    snapshot = await read(
        write_capture(
            tmp_path, home(repairs_list_issues=issues, device_registry_list_composite_splits=splits)
        )
    )

    assert snapshot.reading.health.corrupt_stores == ("core.device_registry",)
    assert snapshot.reading.splits == {"old": ("b", "a"), "older": ("y", "z")}
