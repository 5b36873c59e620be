"""Single passes from a real home into stores of a test's own, and what is in them afterwards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import apsw

from engine.composition.run import reconcile_once
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.loop.passes.options import PassOptions
from engine.settings.layers import load_settings

Pass = Callable[..., Report]


def mirror_once(source: str, token: str, directory: Path, mode: str = "apply", **plan: Any) -> Report:
    """One pass from a source's URI; `plan` settings by keyword."""
    flags = {
        "source.uri": source,
        "rows.file": str(directory / "rows.db"),
        "records.uri": f"history:{directory / 'history.db'}",
        **{f"plan.{name}": value for name, value in plan.items()},
    }
    loaded = load_settings(flags, {"RECONCILE_SOURCE__TOKEN": token}, None, directory)
    settings = loaded.settings
    options = PassOptions(Mode(mode), settings.plan, frozenset(settings.source.registries), "run", "home")
    return anyio.run(reconcile_once, loaded, options, lambda *_: None)


def rows(directory: Path, table: str, *columns: str) -> dict[str, Any]:
    """The stored rows by their first column, read by nothing of ours."""
    connection = apsw.Connection(str(directory / "rows.db"), flags=apsw.SQLITE_OPEN_READONLY)
    names = ", ".join(f'"{name}"' for name in columns)
    found = {row[0]: row[1:] for row in connection.execute(f"SELECT {names} FROM {table}")}
    connection.close()
    return found
