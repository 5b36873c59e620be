"""Settings for one command: the arguments, merged over environment, file and defaults."""

import os
from pathlib import Path

from engine.commandline.arguments.arguments import Arguments
from engine.core.records.record import Json
from engine.errors import SettingsError
from engine.settings.layers import load_settings, settings_layers
from engine.settings.sections import LoadedSettings, Settings
from engine.settings.sites import SitesSettings
from engine.settings.text import FILE_SCHEMES

# With many homes, these commands need --site. The service keeps all homes, and `site` handles their files.
_OF_ONE_HOME = (None, "drift", "show", "history", "doctor", "store")


def load(arguments: Arguments) -> LoadedSettings:
    """All settings. Raises SettingsError."""
    file = Path(arguments.config) if arguments.config else None
    folder = working_folder()
    loaded = load_settings(given_settings(arguments), os.environ, file, folder)
    if loaded.settings.sites.directory and (arguments.command in _OF_ONE_HOME or _is_about_one(arguments)):
        loaded = _load_site(arguments, loaded.settings.sites, file, folder)
    if folder is None:
        _check_absolute(loaded.settings)
    for name, value in (("source.uri", loaded.settings.source.uri), ("rows.file", loaded.settings.rows.file)):
        if any("\ud800" <= character <= "\udfff" for character in value):
            # Reports are UTF-8 and contain these values.
            raise SettingsError(f"Setting {name} = {value!r} is not UTF-8.", "Rename the file or folder.")
    return loaded


def _is_about_one(arguments: Arguments) -> bool:
    return arguments.command == "config" and arguments.site is not None


def _load_site(
    arguments: Arguments, sites: SitesSettings, file: Path | None, folder: Path | None
) -> LoadedSettings:
    """The settings of one of many homes. Raises SettingsError."""
    from engine.sites.files import SiteFiles

    if not arguments.site:
        raise SettingsError(
            f"This command needs one home, and {sites.directory} (sites.directory) has many.",
            "Choose one with --site NAME; `reconcile site list` shows them.",
        )
    homes = SiteFiles(sites, settings_layers(given_settings(arguments), os.environ, file, folder), os.environ)
    found = homes.read().get(arguments.site)
    if found is None:
        raise SettingsError(
            f"There is no home called {arguments.site!r} in {sites.directory}.",
            "`reconcile site list` shows them.",
        )
    if found.loaded is None:
        raise SettingsError(*((found.error.message, found.error.hint) if found.error else ("", "")))
    return found.loaded


def working_folder() -> Path | None:
    """The working folder; None when it was removed, or may not be looked up."""
    try:
        return Path.cwd()
    except OSError:
        return None


def _check_absolute(settings: Settings) -> None:
    """Refuse relative file names if the working folder no longer exists."""
    scheme, _, source = settings.source.uri.partition(":")
    _, _, records = settings.records.uri.partition(":")
    named = {
        "source.uri": source if scheme in FILE_SCHEMES else "",
        "rows.file": settings.rows.file,
        "records.uri": records if settings.records.uri.startswith("history:") else "",
    }
    for name, path in named.items():
        if path and not os.path.isabs(path):  # noqa: PTH117 (a text; no file is looked up)
            raise SettingsError(
                f"Setting {name} = {path!r} is relative to the working folder, which no longer exists.",
                "Change to a folder that exists, or write the whole path.",
            )


def given_settings(arguments: Arguments) -> dict[str, Json]:
    """The settings given as arguments, by dotted name."""
    named: dict[str, Json] = {
        "source.uri": arguments.source,
        "rows.file": arguments.rows,
        "records.uri": arguments.records,
        "site.name": arguments.site,
        "sites.shard": arguments.shard,
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
