"""A core whose home changes in every way that one may, odd values among them; it answers without a socket."""

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from engine.sources.answers.commands import CommandFailed
from tests.sources.recorded_homes import DATA, fake_answers, recorded

LISTS = {
    "device": "config/device_registry/list",
    "entity": "config/entity_registry/list",
    "area": "config/area_registry/list",
    "floor": "config/floor_registry/list",
    "label": "config/label_registry/list",
    "config_entry": "config_entries/get",
}
ENTITY_LIST, GET_ENTRIES = LISTS["entity"], "config/entity_registry/get_entries"
ODD: tuple[Any, ...] = (
    None,
    "",
    0,
    -1,
    1.5,
    True,
    [],
    {},
    [None],
    {"a": [1]},
    "x" * 50,
    "Küche",
    "\ud83d\ude00",
    10**30,
    ["b", "a", "a"],
)
FOLDER = DATA / "2026.11.0" / "rich"


class Core:
    """A core that answers without a socket. What is edited is edited in list rows and extended rows at once."""

    ha_version = "2026.11.0"

    def __init__(self) -> None:
        self.answers = fake_answers(FOLDER)
        self.extended = recorded(FOLDER, "entity_registry_get_entries")
        self.refused: set[str] = set()
        self.asked_for = 0

    async def command(self, command_type: str, /, **params: Any) -> msgspec.Raw:
        if command_type == GET_ENTRIES:
            return self._entries(params["entity_ids"])
        if command_type not in self.answers:
            raise CommandFailed(command_type, "unknown_command", "Unknown command.")
        answer = self.answers[command_type]
        return msgspec.Raw(
            json.dumps(answer(params) if callable(answer) else answer, separators=(",", ":")).encode()
        )

    def _entries(self, entity_ids: list[str]) -> msgspec.Raw:
        if self.refused.intersection(entity_ids):
            raise CommandFailed(GET_ENTRIES, "unknown_error", "Unknown error.")
        self.asked_for += len(entity_ids)
        by_name = {
            row.get("entity_id"): row
            for row in self.extended.values()
            if isinstance(row.get("entity_id"), str)
        }
        return msgspec.Raw(json.dumps({name: by_name.get(name) for name in entity_ids}).encode())

    def edit(self, random: Random) -> None:
        """One random edit."""
        random.choice(EDITS)(self, random)

    def rows(self, registry: str) -> list[dict[str, Any]]:
        return self.answers.get(LISTS[registry], [])  # type: ignore[no-any-return]

    def change(self, registry: str, row: dict[str, Any], fields: dict[str, Any]) -> None:
        """Set fields of a row; an entity's extended row has them, too, and a stamp that moves."""
        at = row.get("modified_at")
        stamp = (
            {"modified_at": (at if isinstance(at, (int, float)) else 0) + 1} if "modified_at" in row else {}
        )
        before = row.get("entity_id")
        row |= fields | stamp
        if registry == "entity":
            found = next(
                (
                    r
                    for r in self.extended.values()
                    if r["id"] == row.get("id") or r.get("entity_id") == before
                ),
                None,
            )
            if found is not None:
                found |= fields | stamp


def _rename(core: Core, random: Random) -> None:
    registry = random.choice(["device", "entity", "area", "floor", "label", "config_entry"])
    names = {"device": "name_by_user", "config_entry": "title"}
    if rows := core.rows(registry):
        core.change(
            registry, random.choice(rows), {names.get(registry, "name"): f"Renamed {random.random():.3f}"}
        )


def _rename_many(core: Core, random: Random) -> None:
    for row in random.sample(core.rows("entity"), min(20, len(core.rows("entity")))):
        core.change("entity", row, {"name": f"Many {random.random():.3f}"})


def _odd_value(core: Core, random: Random) -> None:
    registry = random.choice(list(LISTS))
    if rows := core.rows(registry):
        row = random.choice(rows)
        core.change(registry, row, {random.choice([*row, "unheard_of", "(extra)"]): random.choice(ODD)})


def _unhashed(core: Core, random: Random) -> None:
    core.change(
        "entity", random.choice(core.rows("entity")), {"next_name_part": random.choice([None, "entity"])}
    )


def _remove(core: Core, random: Random) -> None:
    rows = core.rows(random.choice(list(LISTS)))
    if rows:
        rows.pop(random.randrange(len(rows)))


def _remove_many(core: Core, random: Random) -> None:
    rows = core.rows("entity")
    del rows[: len(rows) // random.choice([2, 4, 10])]


def _bring_back(core: Core, random: Random) -> None:
    fresh = Core()
    registry = random.choice(list(LISTS))
    rows = core.rows(registry)
    ids = {
        json.dumps(row.get(name))
        for row in rows
        for name in ("id", "area_id", "floor_id", "label_id", "entry_id")
    }
    for row in fresh.rows(registry):
        id_ = next(row[n] for n in ("id", "entry_id", "label_id", "area_id", "floor_id") if n in row)
        if json.dumps(id_) not in ids:
            rows.append(row)
            if registry == "entity":
                core.extended[row["entity_id"]] = copy.deepcopy(fresh.extended[row["entity_id"]])
            return


def _twice(core: Core, random: Random) -> None:
    if rows := core.rows(random.choice(list(LISTS))):
        rows.append(copy.deepcopy(random.choice(rows)))


def _share_entity_id(core: Core, random: Random) -> None:
    one, other = random.sample(core.rows("entity"), 2)
    core.change("entity", one, {"entity_id": other["entity_id"]})


def _swap_entity_ids(core: Core, random: Random) -> None:
    one, other = random.sample(core.rows("entity"), 2)
    first, second = one["entity_id"], other["entity_id"]
    found = {r["id"]: r for r in core.extended.values()}
    for row, name in ((one, second), (other, first)):
        row |= {"entity_id": name, "modified_at": (row.get("modified_at") or 0) + 1}
        if row.get("id") in found:
            found[row["id"]] |= {"entity_id": name, "modified_at": row["modified_at"]}


def _move(core: Core, random: Random) -> None:
    core.change(
        "device",
        random.choice(core.rows("device")),
        {"area_id": random.choice([None, *(row.get("area_id") for row in core.rows("area"))])},
    )


def _reorder(core: Core, random: Random) -> None:
    random.shuffle(core.rows(random.choice(["area", "floor", "label", "device", "entity"])))


def _state(core: Core, random: Random) -> None:
    states = ["RUNNING", "RUNNING", "STARTING", None, 7]
    core.answers["get_config"] = core.answers["get_config"] | {"state": random.choice(states)}


def _version(core: Core, random: Random) -> None:
    version = random.choice(["2026.11.0", "2026.12.1", "2026.3.0", None, 5])
    core.answers["get_config"] = core.answers["get_config"] | {"version": version}


def _recovery(core: Core, random: Random) -> None:
    core.answers["get_config"] = core.answers["get_config"] | {
        "recovery_mode": random.choice([True, False, False])
    }


def _issues(core: Core, random: Random) -> None:
    issue = {"issue_id": "storage_corruption_core.entity_registry_2026"}
    core.answers["repairs/list_issues"] = {"issues": random.choice([[], [], [issue], 3])}


# A list row that is the same says, by its stamp, that the extended row is; so these change it, too.


def _refuse(core: Core, random: Random) -> None:
    row = random.choice(core.rows("entity"))
    core.change("entity", row, {})
    core.refused = {row["entity_id"]} if random.random() < 0.5 else set()


def _forget_extended(core: Core, random: Random) -> None:
    row = random.choice(core.rows("entity"))
    core.change("entity", row, {})
    core.extended = {name: found for name, found in core.extended.items() if found["id"] != row["id"]}


def _list_unknown(core: Core, random: Random) -> None:
    command = LISTS[random.choice(["area", "floor", "label", "config_entry"])]
    if command in core.answers:
        core.answers["hidden " + command] = core.answers.pop(command)
    else:
        core.answers[command] = core.answers.pop("hidden " + command)


EDITS: list[Callable[[Core, Random], None]] = [
    *(
        _rename,
        _rename,
        _rename,
        _odd_value,
        _odd_value,
        _unhashed,
        _remove,
        _bring_back,
        _bring_back,
        _move,
        _move,
    ),
    *(
        _rename_many,
        _remove_many,
        _twice,
        _share_entity_id,
        _swap_entity_ids,
        _reorder,
        _state,
        _version,
        _recovery,
    ),
    *(_issues, _refuse, _forget_extended, _list_unknown),
]
