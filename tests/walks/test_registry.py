"""A registry that Home Assistant does not have yet is added in three files, and then goes all the way.

The program is copied, its three files are changed as a person would change them, and the copy mirrors a home that has the
registry: from a recorded answer, or from a file in `.storage`, into rows, history and the API.
"""

import json
import shutil
from pathlib import Path

import pytest

from tests.walks.copied_program import ROOT, SAMPLE, CopiedProgram

pytestmark = pytest.mark.process

STORAGE = ROOT / "tests" / "data" / "home_assistant" / "2026.11.0" / "storage"
ZONES = [{"zone_id": "garden", "name": "Garden", "radius": 40, "created_at": 1795000000.0}]

RECORD = '''class Zone(Record, frozen=True, kw_only=True):
    """A zone."""

    REGISTRY: ClassVar[str] = "zone"
    ID_FIELD: ClassVar[str] = "zone_id"
    IDENTITY: ClassVar[tuple[str, ...]] = ("zone_id",)

    zone_id: str
    name: str
    radius: int | None = None


'''
DESCRIPTOR = """ZONE = Registry(
    name="zone",
    table="zones",
    key=("zone_id",),
    list_command="config/zone_registry/list",
    event="zone_registry_updated",
    event_key=("zone_id",),
    store="core.zone_registry",
    store_list="zones",
    route="zones",
)

"""
BODY = '''class Zone(msgspec.Struct, frozen=True):
    """A zone."""

    zone_id: str
    name: str | None
    radius: int | None
    timestamp: Timestamp
    sync: Sync | None = None


'''
INSERTIONS = {
    "engine/core/records/record.py": [
        (RECORD, "RECORD_TYPES: dict"),
        ("Zone, ", "ConfigEntry, Floor, Label, Category, Area, Device, Entity)"),
    ],
    "engine/core/records/registries.py": [
        (DESCRIPTOR, "# Parents before children"),
        ("ZONE, ", "CONFIG_ENTRY, FLOOR, LABEL, CATEGORY, AREA, DEVICE, ENTITY)"),
    ],
    "api/registries/bodies/small.py": [
        (BODY, "_MAKERS: tuple"),
        ('BodyMaker(Zone, "zone", "Zones, by id."),\n    ', 'BodyMaker(AreaBody, "area"'),
    ],
}
SERVE = """
import json, sys
from pathlib import Path

import anyio
import msgspec

from engine.core.records.record import Key
from engine.core.state.hints import Hints
from engine.replicas.history.replica import open_history
from engine.sources.live.events import event_hints
from tests.api.serving import api_over

async def main():
    history = open_history(Path("history.db"))
    async with api_over(Path("rows.db"), timeline=history) as api:
        page = await api.get("/api/zones")
        document = await api.get("/openapi.json")
        feed = await api.get("/api/changes?registry=zone")
    removed = {"event_type": "zone_registry_updated", "data": {"action": "remove", "zone_id": "garden"}}
    hints = event_hints(msgspec.Raw(json.dumps(removed).encode()))
    assert hints == Hints(registries=frozenset({"zone"}), removed=frozenset({Key("zone", "garden")}))
    print(json.dumps({
        "page": page,
        "summary": document["paths"]["/api/zones"]["get"]["summary"],
        "feed": [(change["registry"], change["key"]) for change in feed["changes"]],
        "history": [revision.fields for revision in history.timeline(Key("zone", "garden"))],
    }))
    history.close()

anyio.run(main)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> CopiedProgram:
    """A copy of the program that knows the registry of zones as well."""
    return CopiedProgram(tmp_path_factory.mktemp("program"), INSERTIONS)


def a_recording(home: Path) -> str:
    shutil.copytree(SAMPLE, home)
    (home / "zone_registry_list.json").write_text(json.dumps(ZONES))
    return f"capture:{home}"


def a_storage(home: Path) -> str:
    shutil.copytree(STORAGE, home)
    stored = {"version": 1, "minor_version": 1, "key": "core.zone_registry", "data": {"zones": ZONES}}
    (home / "core.zone_registry").write_text(json.dumps(stored))
    return f"storage:{home}"


@pytest.mark.parametrize("make_home", [a_recording, a_storage])
def test_a_registry_is_added_in_three_files(
    program: CopiedProgram, tmp_path: Path, make_home: object
) -> None:
    assert callable(make_home)
    source = make_home(tmp_path / "home")
    program.reconcile(tmp_path, "--source", source, "--rows", "rows.db", "--records", "history:history.db")
    ran = program.python(tmp_path, "-c", SERVE)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(ran.stdout)
    (zone,) = found["page"]["zones"]
    assert (zone["zone_id"], zone["name"], zone["radius"]) == ("garden", "Garden", 40)
    assert found["summary"] == "Zones, by id."
    assert found["feed"] == [["zone", "garden"]]
    (fields,) = found["history"]
    assert {name: fields[name] for name in ("zone_id", "name", "radius")} == {
        "zone_id": "garden",
        "name": "Garden",
        "radius": 40,
    }
