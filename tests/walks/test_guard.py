"""A guard is added as CONTRIBUTING says: it holds its deletes, is listed with the other guards, and does not affect other changes."""

import json
import shutil
from pathlib import Path

import pytest

from tests.walks.copied_program import SAMPLE, CopiedProgram

pytestmark = pytest.mark.process

GUARD = '''def _refuse_on_holiday(desired: Snapshot) -> tuple[GuardName, str, str] | None:
    """While an area says that the family is away, devices that vanish are only unplugged."""
    if Key("area", "on_holiday") not in desired.home.records:
        return None
    return GuardName.ON_HOLIDAY, "The family is on holiday.", "Remove the area on_holiday."


'''
INSERTIONS = {
    "engine/core/words.py": [('    ON_HOLIDAY = "on_holiday"\n', '    DELETE_RATIO = "delete_ratio"\n')],
    "engine/core/guards/guard.py": [
        (GUARD, "def _empty_registries("),
        (
            "    if refusal := _refuse_on_holiday(desired):\n        return refusal\n",
            "    share = count / max(observed_count, 1)\n",
        ),
    ],
}


def test_a_guard_is_added_in_two_files_and_holds_deletes_and_nothing_else(tmp_path: Path) -> None:
    program = CopiedProgram(tmp_path / "program", INSERTIONS)
    home = tmp_path / "home"
    shutil.copytree(SAMPLE, home)
    arguments = (
        "--source", f"capture:{home}", "--rows", "rows.db", "--records", "none", "--metrics-file", "metrics.prom",
    )  # fmt: skip
    program.reconcile(tmp_path, *arguments)

    labels, areas = home / "label_registry_list.json", home / "area_registry_list.json"
    gone = json.loads(labels.read_bytes())
    (gone["result"] if isinstance(gone, dict) else gone).pop(0)
    labels.write_text(json.dumps(gone))
    known = json.loads(areas.read_bytes())
    (known["result"] if isinstance(known, dict) else known).append(
        {"area_id": "on_holiday", "name": "On holiday"}
    )
    areas.write_text(json.dumps(known))

    said = program.reconcile(tmp_path, *arguments, code=3)
    assert "The family is on holiday." in said
    assert "Remove the area on_holiday." in said
    assert "1 added, 1 held (sqlite)" in said, "the area itself is written"
    metrics = (tmp_path / "metrics.prom").read_text(encoding="utf-8")
    assert 'reconcile_guard_trips_total{guard="on_holiday"} 1.0' in metrics.splitlines()
