"""Fills the project's addresses into the package's metadata while hatchling builds it.

They are all made of one, `repository` in `[tool.ha-reconcile]` of pyproject.toml, so that a move is one edit.
"""

import tomllib
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PAGES = {
    "Homepage": "",
    "Documentation": "#documentation",
    "Changelog": "/releases",
    "Issues": "/issues",
}


class ProjectUrls(MetadataHookInterface):
    """The hook that hatchling calls."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `urls` of the metadata."""
        text = (Path(self.root) / "pyproject.toml").read_text(encoding="utf-8")
        repository = tomllib.loads(text)["tool"]["ha-reconcile"]["repository"]
        metadata["urls"] = {name: f"{repository}{path}" for name, path in PAGES.items()}
