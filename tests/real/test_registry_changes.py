"""Every kind of change to every registry of a real core arrives, exactly and alone.

After each change one pass runs. The records that it wrote are those whose listed rows changed, found by comparing the
core's own lists before and after; the SQLite rows say what the lists say; and a second pass writes nothing.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.real.admin_client import request
from tests.real.home_assistant import HomeAssistant
from tests.real.mirror import mirror_once, rows
from tests.real.registry_lists import CATEGORY_SCOPE, changed_keys, settled_lists

pytestmark = pytest.mark.real_server

# Table, id column, and what its rows must say as the lists do.
COLUMNS = {
    "device": (
        "devices",
        "device_id",
        ("name_by_user", "area_id", "disabled_by", "sw_version", "parent_device_id"),
    ),
    "entity": (
        "entities",
        "id",
        (
            "entity_id",
            "unique_id",
            "name",
            "original_name",
            "icon",
            "area_id",
            "device_id",
            "disabled_by",
            "hidden_by",
        ),
    ),
    "area": ("areas", "area_id", ("name", "icon", "picture")),
    "floor": ("floors", "floor_id", ("name", "level", "icon")),
    "label": ("labels", "label_id", ("name", "color", "icon", "description")),
    "config_entry": ("config_entries", "entry_id", ("title", "domain", "source", "disabled_by")),
}


class MirroredHome:
    """A core, its mirror, and a check that the one follows the other."""

    def __init__(self, core: HomeAssistant, folder: Path) -> None:
        self.core = core
        self.folder = folder
        self.is_new = core.version != "2024.3.3"
        self.mirror = partial(
            mirror_once,
            core.url,
            core.token,
            folder,
            delete_confirm_seconds=0,
            delete_ratio_max=1.0,
            delete_count_max=20_000,
        )
        assert self.mirror().status == "in_sync"
        self._lists = settled_lists(core)

    def command(self, command: str, **parameters: Any) -> Any:
        """The result of a command, whose changes are then checked."""
        result = self.core.command(command, **parameters)
        self.check(command, parameters)
        return result

    def service(self, name: str, **data: Any) -> None:
        """Let the integration itself change something."""
        self.command("call_service", domain="bulk", service=name, service_data=data)

    def check(self, *what: object) -> set[str]:
        """What changed since the last check has been written, nothing else, and rows say it; returns it."""
        lists = settled_lists(self.core)
        changed = changed_keys(self._lists, lists)
        report = self.mirror()
        assert (report.errors, report.status) == ((), "in_sync"), what
        assert changed, what
        written = {
            f"{r.registry}/{r.key}"
            for r in report.records
            if (r.replica, r.outcome) == ("history", "applied")
        }
        assert written == changed, what
        for registry, (table, id_, columns) in COLUMNS.items():
            expected = {
                key: tuple(row.get(column) for column in columns) for key, row in lists[registry].items()
            }
            assert rows(self.folder, table, id_, *columns) == expected, what
        assert self.mirror().records == (), what
        self._lists = lists
        return changed

    def id_of(self, registry: str, **fields: object) -> str:
        """The id of the row with these fields."""
        listed = self._lists[registry]
        (found,) = (id_ for id_, row in listed.items() if fields.items() <= row.items())
        return found


@pytest.fixture
def home(fresh_home_assistant: HomeAssistant, tmp_path: Path) -> Callable[[], MirroredHome]:
    """Mirrors the core as it is when called."""
    return lambda: MirroredHome(fresh_home_assistant, tmp_path)


def test_areas_floors_labels_and_categories(home: Callable[[], MirroredHome]) -> None:
    of = home()
    floors, areas, labels = (partial(change, of, f"{name}_registry") for name in ("floor", "area", "label"))
    floors("create", name="Upstairs", level=1)
    floors("create", name="Roof", icon="mdi:home-roof")
    floors("update", floor_id="upstairs", name="First floor", level=2)
    labels(
        "create",
        name="Holiday",
        color="#ff0000" if not of.is_new else "red",
        icon="mdi:flag",
        description="Only then",
    )
    labels("update", label_id="holiday", name="Holidays", color=None)
    areas("create", name="Loft", icon="mdi:sofa", aliases=["den"])
    areas("update", area_id="loft", name="Study", picture="/local/study.png", aliases=[])
    if of.is_new:  # not in the lists of 2024.3.3
        floors("update", floor_id="roof", aliases=["top", "attic"])
        areas("update", area_id="loft", floor_id="roof", labels=["holiday"])
    entity = partial(of.command, "config/entity_registry/update", entity_id="light.bed_light")
    entity(name="Lamp", area_id="loft")
    device = of.id_of("device", name="Ceiling Lights")
    of.command("config/device_registry/update", device_id=device, area_id="loft")
    if of.is_new:
        entity(labels=["holiday"])
        categories = partial(change, of, "category_registry", scope=CATEGORY_SCOPE)
        id_ = categories("create", name="Evening", icon="mdi:moon-waning-crescent")["category_id"]
        entity(categories={CATEGORY_SCOPE: id_})
        categories("update", category_id=id_, name="Night")
        categories("delete", category_id=id_)
    labels("delete", label_id="holiday")
    areas("delete", area_id="loft")
    floors("delete", floor_id="roof")
    floors("delete", floor_id="upstairs")


def test_the_order_of_areas_and_floors(home: Callable[[], MirroredHome]) -> None:
    of = home()
    if not of.is_new:  # its lists have no order of the user's
        assert set(rows(of.folder, "areas", "area_id", "position").values()) == {(None,)}
        return
    for name in ("Attic", "Cellar", "Ground"):
        change(of, "floor_registry", "create", name=name)
    for registry, id_ in (("area", "area_id"), ("floor", "floor_id")):
        listed = [row[id_] for row in of.core.command(f"config/{registry}_registry/list")]
        wanted = [*listed[2:], *reversed(listed[:2])]
        assert len(listed) > 2

        of.core.command(f"config/{registry}_registry/reorder", **{f"{id_}s": wanted})

        assert {(r.registry, r.replica) for r in of.mirror().records} == {(registry, "sqlite")}
        positions = rows(of.folder, f"{registry}s", id_, "position")
        assert sorted(positions, key=lambda key: positions[key]) == wanted
        assert of.mirror().records == ()


def change(of: MirroredHome, registry: str, verb: str, **fields: Any) -> Any:
    return of.command(f"config/{registry}/{verb}", **fields)


def test_entities(fresh_home_assistant: HomeAssistant, home: Callable[[], MirroredHome]) -> None:
    fresh_home_assistant.add_bulk(devices=1, entities=3)
    of = home()
    update = partial(of.command, "config/entity_registry/update")
    update(entity_id="light.bed_light", new_entity_id="light.night_light")
    for old, new in (("ceiling", "parking"), ("kitchen", "ceiling"), ("parking", "kitchen")):
        suffix = "lights" if old != "parking" else "place"
        of.core.command(
            "config/entity_registry/update",
            entity_id=f"light.{old}_{suffix}",
            new_entity_id=f"light.{new}_{'lights' if new != 'parking' else 'place'}",
        )
    of.check("two entities swap their ids")
    entity_id = "light.night_light"
    for fields in (
        {"name": "Night light"},
        {"icon": "mdi:lamp", "area_id": "bedroom"},
        {"aliases": ["b", "a"]},
        {"aliases": ["a"]},
        {"hidden_by": "user"},
        {"options_domain": "light", "options": {"favorite_colors": [{"color_temp": 300}]}},
        {"disabled_by": "user"},
        {"disabled_by": None, "hidden_by": None, "name": None, "icon": None, "area_id": None},
    ):
        update(entity_id=entity_id, **fields)
    sensor = next(row for row in of.core.command("config/entity_registry/list") if row["platform"] == "bulk")
    update(entity_id=sensor["entity_id"], device_class="power")
    of.service("new_unique_id", entity_id=sensor["entity_id"], unique_id="another")
    of.command("config/entity_registry/remove", entity_id=sensor["entity_id"])


def test_devices(fresh_home_assistant: HomeAssistant, home: Callable[[], MirroredHome]) -> None:
    entry = fresh_home_assistant.add_bulk(devices=4, entities=3, legacy=1, children=2)
    of = home()
    devices = [of.id_of("device", name=f"Bulk device {n:05d}") for n in range(4)]
    update = partial(of.command, "config/device_registry/update", device_id=devices[0])
    update(name_by_user="Mine")
    update(area_id="kitchen")
    if of.is_new:  # not in the lists of 2024.3.3
        of.command("config/label_registry/create", name="One")
        update(labels=["one"])
        child = of.id_of("device", parent_device_id=devices[0], name="Outlet 1")
        of.command("config/device_registry/update", device_id=child, name_by_user="Left", area_id="bedroom")
        of.command("config/device_registry/update", device_id=child, disabled_by="user")
    update(disabled_by="user")
    update(disabled_by=None)
    update(name_by_user=None, area_id=None)
    of.service("touch", count=2, version="3.0")

    # The three ways to remove a device: the user, the integration, and the end of its config entry.
    of.command("config/device_registry/remove_config_entry", device_id=devices[1], config_entry_id=entry)
    of.service("drop", count=1)
    of.core.remove_entry(entry)
    gone = of.check("the entry is removed")
    assert f"device/{devices[0]}" in gone


def test_config_entries(fresh_home_assistant: HomeAssistant, home: Callable[[], MirroredHome]) -> None:
    core = fresh_home_assistant
    entry = core.add_bulk(name="Kept", devices=2, entities=3, disabled=1, stable=True, children=1)
    of = home()
    of.command("config_entries/update", entry_id=entry, title="Another title", pref_disable_polling=True)
    of.command("config_entries/disable", entry_id=entry, disabled_by="user")
    of.command("config_entries/disable", entry_id=entry, disabled_by=None)
    before = settled_lists(core)
    request("POST", f"{core.url}/api/config/config_entries/entry/{entry}/reload", token=core.token, body={})
    assert changed_keys(before, settled_lists(core)) == set(), "a reload changes no row"
    ids = {id_ for id_, row in before["entity"].items() if row["config_entry_id"] == entry}
    core.remove_entry(entry)
    of.check("the entry is removed")
    again = core.add_bulk(name="Kept", devices=2, entities=3, disabled=1, stable=True, children=1)
    of.check("the entry is added again")
    returned = {id_ for id_, row in settled_lists(core)["entity"].items() if row["config_entry_id"] == again}
    assert returned == ids


def test_an_entry_with_ten_thousand_entities_comes_and_goes(
    fresh_home_assistant: HomeAssistant, home: Callable[[], MirroredHome]
) -> None:
    of = home()
    entry = of.core.add_bulk(name="Large", devices=1000, entities=10)
    assert len(of.check("ten thousand come")) == 11_001
    of.core.remove_entry(entry)
    assert len(of.check("ten thousand go")) == 11_001
