"""Settings for one command: what the arguments say, merged over environment, file and defaults."""

import os
from pathlib import Path

from engine.commandline.parser import Arguments
from engine.core.record import Json
from engine.errors import SettingsError
from engine.settings import LoadedSettings
from engine.settings_layers import load_settings


def load(arguments: Arguments) -> LoadedSettings:
    """All settings. Raises SettingsError."""
    file = Path(arguments.config) if arguments.config else None
    loaded = load_settings(given_settings(arguments), os.environ, file, Path.cwd())
    for name, value in (("source.uri", loaded.settings.source.uri), ("rows.file", loaded.settings.rows.file)):
        if any("\ud800" <= character <= "\udfff" for character in value):
            # Reports are UTF-8 and carry these values.
            raise SettingsError(f"Setting {name} = {value!r} is not UTF-8.", "Rename the file or folder.")
    return loaded


def given_settings(arguments: Arguments) -> dict[str, Json]:
    """The settings that the arguments name, by dotted name."""
    named: dict[str, Json] = {
        "source.uri": arguments.source,
        "rows.file": arguments.rows,
        "records.uri": arguments.records,
        "site.name": arguments.site,
        "source.registries": list(arguments.only) if arguments.only else None,
        "plan.mode": "observe" if arguments.observe else None,
        "plan.allow_empty": arguments.allow_empty or None,
        "plan.allow_new_instance": arguments.allow_new_instance or None,
        "plan.prune_foreign": arguments.prune_foreign or None,
    }
    limit = arguments.max_delete
    if limit is not None and limit.records_max is not None:
        named |= {"plan.delete_count_max": limit.records_max, "plan.delete_few_max": limit.records_max}
    elif limit is not None:
        named |= {"plan.delete_ratio_max": limit.ratio_max, "plan.delete_few_max": 0}
    return {name: value for name, value in named.items() if value is not None}
