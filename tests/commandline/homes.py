"""Recorded homes that a test may change."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[1] / "data" / "home_assistant"
RICH = DATA / "2026.11.0" / "rich"


def recorded_homes() -> list[Any]:
    """Every capture, as a parameter."""
    folders = [d for version in DATA.iterdir() if version.is_dir() for d in (version, version / "rich")]
    found = [d for d in sorted(folders) if (d / "device_registry_list.json").exists()]
    return [pytest.param(d, id=str(d.relative_to(DATA))) for d in found]


class Home:
    """A copy of the recorded home of 2026.11."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(RICH, folder)

    @property
    def source(self) -> str:
        return f"capture:{self.folder}"

    def edit(self, command: str, change: Callable[[list[dict[str, Any]]], object]) -> None:
        """Change the rows of one command's answer in place."""
        path = self.folder / f"{command}.json"
        answer = json.loads(path.read_bytes())
        change(answer["result"] if isinstance(answer, dict) else answer)
        path.write_text(json.dumps(answer))

    def rename_device(self, name: str) -> str:
        """Give the first device another name; returns its id."""

        def rename(rows: list[dict[str, Any]]) -> None:
            rows[0]["name_by_user"] = name

        self.edit("device_registry_list", rename)
        rows = json.loads((self.folder / "device_registry_list.json").read_bytes())["result"]
        return str(rows[0]["id"])

    def remove_label(self) -> str:
        """Take away the first label; returns its id."""
        gone: list[dict[str, Any]] = []
        self.edit("label_registry_list", lambda rows: gone.append(rows.pop(0)))
        return str(gone[0]["label_id"])
