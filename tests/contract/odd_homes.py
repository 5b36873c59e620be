"""A small recorded home in which one thing may be anything that JSON can say, in every form of a source."""

import copy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from engine.core.records.record import Key
from engine.ports import Source
from engine.sources.files.backup import BackupSource
from engine.sources.files.capture import CaptureSource
from engine.sources.files.storage import StorageSource
from engine.sources.live.websocket import WebsocketSource
from tests.fakes.home_assistant import TOKEN, Refusal, fake_home_assistant
from tests.sources.recorded_homes import DATA, clock, entries_answer, recorded, write_backup, write_capture

FORMS = ("websocket", "capture", "storage", "backup")
FOLDER = DATA / "2026.11.0"
ROWS = 3  # of each list; enough to have neighbours
_ID_FIELDS = {
    "device": "id",
    "entity": "id",
    "area": "area_id",
    "floor": "floor_id",
    "label": "label_id",
    "category": "category_id",
    "config_entry": "entry_id",
}
_LIST_NAMES = {
    **{r: f"{r}_registry_list" for r in ("device", "entity", "area", "floor", "label")},
    "config_entry": "config_entries_get",
    "category": "category_registry_list_automation",
}
_STORES = {
    **{r: (f"core.{r}_registry", f"{r}s") for r in ("device", "area", "floor", "label")},
    "entity": ("core.entity_registry", "entities"),
    "config_entry": ("core.config_entries", "entries"),
    "category": ("core.category_registry", "categories"),
}
_COMMANDS = {
    **{r: f"config/{r}_registry/list" for r in ("device", "entity", "area", "floor", "label")},
    "config_entry": "config_entries/get",
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["", "nowhere", "light.a__b", "Light.A", "2024-01-01T00:00:00", "12"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


class OddHome:
    """Rows by registry, as the API lists them and as they are stored; `rows` of both are in one order."""

    def __init__(self, form: str) -> None:
        self.form = form
        self.is_stored = form in ("storage", "backup")
        self.extended: dict[str, Any] = {}
        self.rows: dict[str, list[Any]] = {}
        for registry in _ID_FIELDS:
            self.rows[registry] = self._read(registry)[:ROWS]
        if not self.is_stored:
            entries = recorded(FOLDER / "rich", "entity_registry_get_entries")
            self.extended = {row["entity_id"]: entries[row["entity_id"]] for row in self.rows["entity"]}

    def _read(self, registry: str) -> list[Any]:
        if not self.is_stored:
            rows: list[Any] = recorded(FOLDER / "rich", _LIST_NAMES[registry])
            return rows
        store, name = _STORES[registry]
        data = json.loads((FOLDER / "storage" / store).read_text(encoding="utf-8"))["data"][name]
        return list(data["automation"] if registry == "category" else data)

    def key(self, registry: str, position: int) -> Key:
        """The key of a row."""
        row = self.rows[registry][position]
        id_ = row["id" if registry == "area" and self.is_stored else _ID_FIELDS[registry]]
        return Key(registry, f"automation/{id_}" if registry == "category" else id_)

    def fields(self, registry: str) -> list[str]:
        """The names of all fields that a row of this form has."""
        row = self.rows[registry][0]
        more = self.extended[row["entity_id"]] if registry == "entity" and self.extended else {}
        return sorted({*row, *more, "brand_new"})

    def put(self, registry: str, position: int, field: str | None, value: Any) -> None:
        """Put a value into a field of a row, or without a field in the row's place."""
        rows = self.rows[registry]
        entity_id = rows[position].get("entity_id")
        if field is None:
            rows[position] = value
            return
        if entity_id in self.extended:
            extended = self.extended[entity_id] = {**self.extended[entity_id], field: value}
            if field in rows[position]:
                rows[position] = {**rows[position], field: value}
            if field == "entity_id" and isinstance(value, str):
                self.extended[value] = self.extended.pop(entity_id)
            assert extended
        else:
            rows[position] = {**rows[position], field: value}

    @asynccontextmanager
    async def source(self, folder: Path) -> AsyncIterator[Source]:
        """The home as a source of its form."""
        if self.form == "websocket":
            async with fake_home_assistant(self._answers()) as fake:
                yield WebsocketSource(fake.uri, TOKEN, clock=clock)
        elif self.form == "capture":
            yield CaptureSource(self._capture(folder / "capture"), clock=clock)
        elif self.form == "storage":
            yield StorageSource(self._storage(folder / ".storage"), clock=clock)
        else:
            yield BackupSource(
                write_backup(folder / "backup.tar", self._storage(folder / "s"), compressed=False),
                clock=clock,
            )

    def _answers(self) -> dict[str, Any]:
        answers: dict[str, Any] = {_COMMANDS[registry]: self.rows[registry] for registry in _COMMANDS}
        answer = entries_answer(self.extended)
        # As Home Assistant does: a row whose name is none, or that cannot be written, spoils the whole answer.
        answers["config/entity_registry/get_entries"] = lambda params: (
            Refusal("invalid_format") if any("__" in id_ for id_ in params["entity_ids"]) else answer(params)
        )
        answers["config/category_registry/list"] = lambda params: (
            self.rows["category"] if params["scope"] == "automation" else []
        )
        return answers

    def _capture(self, folder: Path) -> Path:
        results: dict[str, Any] = {_LIST_NAMES[registry]: rows for registry, rows in self.rows.items()}
        return write_capture(folder, {**results, "entity_registry_get_entries": self.extended})

    def _storage(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for registry, (store, name) in _STORES.items():
            stored = json.loads((FOLDER / "storage" / store).read_text(encoding="utf-8"))
            data = copy.deepcopy(stored["data"])
            rows = self.rows[registry]
            data[name] = {"automation": rows} if registry == "category" else rows
            for other in data.keys() - {name}:
                data[other] = []
            (folder / store).write_text(json.dumps({**stored, "data": data}), encoding="utf-8")
        return folder
