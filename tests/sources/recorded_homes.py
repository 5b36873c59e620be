"""The recorded homes in every form that a source reads: a folder, a fake server's answers, a backup."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Record

DATA = Path(__file__).parents[1] / "data" / "home_assistant"
VERSIONS = ("2024.3.3", "2026.11.0")
LIST_COMMANDS = {
    "config/device_registry/list": "device_registry_list",
    "config/device_registry/list_composite_splits": "device_registry_list_composite_splits",
    "config/entity_registry/list": "entity_registry_list",
    "config/area_registry/list": "area_registry_list",
    "config/floor_registry/list": "floor_registry_list",
    "config/label_registry/list": "label_registry_list",
    "config_entries/get": "config_entries_get",
    "get_config": "get_config",
}


def quiet(_what: str, _done: int, _total: int | None) -> None:
    """Ignores progress."""


def clock() -> float:
    return 1795434000.0


def recorded(folder: Path, name: str) -> Any:
    """The recorded result; None when the core did not know the command."""
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8")).get("result")


def fake_answers(folder: Path) -> dict[str, Any]:
    """The answers of a fake server with this recorded home."""
    results = {command: recorded(folder, name) for command, name in LIST_COMMANDS.items()}
    answers: dict[str, Any] = {command: result for command, result in results.items() if result is not None}
    answers["config/entity_registry/get_entries"] = entries_answer(
        recorded(folder, "entity_registry_get_entries")
    )
    scopes = {
        path.stem.rpartition("_")[2]: recorded(folder, path.stem)
        for path in folder.glob("category_registry_list_*.json")
    }
    if any(rows is not None for rows in scopes.values()):
        answers["config/category_registry/list"] = lambda params: scopes.get(params["scope"]) or []
    return answers


def entries_answer(rows: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Answers get_entries from rows by entity_id, null for those that are not there."""
    return lambda params: {entity_id: rows.get(entity_id) for entity_id in params["entity_ids"]}


def write_capture(folder: Path, results: dict[str, Any]) -> Path:
    """A capture folder with bare results, by file name without ending."""
    folder.mkdir(exist_ok=True)
    for name, result in results.items():
        (folder / f"{name}.json").write_text(json.dumps(result), encoding="utf-8")
    return folder


def write_backup(
    file: Path, storage: Path, *, info: dict[str, Any] | None = None, compressed: bool = True
) -> Path:
    """A backup as the core's own backup integration writes it, with these storage files."""
    inner = inner_archive(storage, compressed=compressed)
    return write_outer(
        file, inner, info=info, name="homeassistant.tar.gz" if compressed else "homeassistant.tar"
    )


def inner_archive(storage: Path, *, compressed: bool = True) -> bytes:
    """The archive in a backup, with these storage files."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz" if compressed else "w:") as archive:
        _add(archive, "data/configuration.yaml", b"demo:\n")
        for path in sorted(storage.iterdir()):
            _add(archive, f"data/.storage/{path.name}", path.read_bytes())
        _add(archive, "data/home-assistant_v2.db", bytes(4096))
    return inner.getvalue()


def write_outer(
    file: Path, inner: bytes, *, info: dict[str, Any] | None = None, name: str = "homeassistant.tar.gz"
) -> Path:
    reported = {
        "slug": "0357370a",
        "date": "2026-11-23T11:40:00.500000+00:00",
        "homeassistant": {"version": "2026.11.0", "exclude_database": True},
        "protected": False,
        **(info or {}),
    }
    with tarfile.open(file, "w") as outer:
        _add(outer, "./backup.json", json.dumps(reported).encode())
        _add(outer, f"./{name}", inner)
    return file


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def records_of(snapshot: Snapshot, registry: str) -> dict[str, Record]:
    return {key.id: record for key, record in snapshot.home.records.items() if key.registry == registry}
