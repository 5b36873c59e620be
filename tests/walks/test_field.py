"""A field that Home Assistant does not have yet is added as CONTRIBUTING says: a column, an answer, and no hash of others changes."""

import json
import shutil
from pathlib import Path

import apsw
import pytest

from tests.walks.copied_program import SAMPLE, CopiedProgram

pytestmark = pytest.mark.process

INSERTIONS = {
    "engine/core/records/record.py": [
        ("    firmware_channel: str | None = None\n", "    serial_number: str | None = None\n")
    ],
    "engine/replicas/rows/schema.py": [("ROW_LAYOUT += 1\n", "\n_NOT_NULL = {")],
    "api/registries/bodies/devices_and_entities.py": [
        (
            "    firmware_channel: str | None\n",
            "    serial_number: str | None\n    model_id: str | None\n    entity_count",
        )
    ],
    "ops/data_dictionary.py": [
        (
            '        "firmware_channel": "which firmware it takes",\n',
            '        "serial_number": "serial number",\n',
        )
    ],
}
SERVE = """
import json
from pathlib import Path
import anyio
from tests.api.serving import api_over

async def main():
    async with api_over(Path("rows.db")) as api:
        print(json.dumps([d["firmware_channel"] for d in (await api.get("/api/devices?limit=1000"))["devices"]]))

anyio.run(main)
"""


def test_a_field_is_added_and_only_records_that_have_it_change(tmp_path: Path) -> None:
    as_it_is = CopiedProgram(tmp_path / "as it is", {})
    with_field = CopiedProgram(tmp_path / "with field", INSERTIONS)
    home = tmp_path / "home"
    shutil.copytree(SAMPLE, home)
    arguments = ("--source", f"capture:{home}", "--rows", "rows.db", "--records", "history:history.db")

    as_it_is.reconcile(tmp_path, *arguments)
    assert with_field.reconcile(tmp_path, *arguments).startswith("Nothing to do")

    path = home / "device_registry_list.json"
    answer = json.loads(path.read_bytes())
    rows = answer["result"] if isinstance(answer, dict) else answer
    rows[0]["firmware_channel"] = "beta"
    path.write_text(json.dumps(answer))
    assert "Applied: 1 changed (sqlite" in with_field.reconcile(tmp_path, *arguments)
    with_field.reconcile(tmp_path, *arguments)

    connection = apsw.Connection(str(tmp_path / "rows.db"))
    found = connection.execute("SELECT firmware_channel FROM devices WHERE firmware_channel IS NOT NULL").get
    connection.close()
    assert found == "beta"
    served = json.loads(with_field.python(tmp_path, "-c", SERVE).stdout)
    assert sorted(served, key=str) == sorted([*[None] * (len(rows) - 1), "beta"], key=str)
    assert "which firmware it takes" in with_field.page(tmp_path, "sqlite.md")
