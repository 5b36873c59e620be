"""Loads settings: flags override the environment, which overrides the TOML file, which overrides defaults.

Any mistake is one clear error that names the setting, the value and its origin; a secret is
never repeated.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path

import msgspec

from engine.core.expected import in_words
from engine.core.records.record import Json
from engine.core.records.registries import REGISTRIES
from engine.errors import SettingsError
from engine.settings.secrets import ENVIRONMENT_PREFIX, read_secret, read_text
from engine.settings.sections import (
    DOCUMENTED,
    SECRETS,
    SETTING_NAMES,
    SWITCH_NAMES,
    LoadedSettings,
    Settings,
)
from engine.settings.text import environment_value, why_unreadable, written_value

DEFAULT_FILE = "reconcile.toml"
# In a Home Assistant app. Ingress only admits users who are logged in to Home Assistant, and passes on the browser's
# Host (developers.home-assistant.io, "Presenting your app", seen 2026-11-23).
SUPERVISED: dict[str, Json] = {
    "source.uri": "ws://supervisor/core/websocket",
    "http.trusted_peers": ["172.30.32.2"],
}

# All settings with their descriptions are a tenth of it. tomllib's time and memory for one dotted name
# grow with the square of the number of its parts, which are on one line.
_FILE_BYTES_MAX = 2**16
_LINE_BYTES_MAX = 2**12

# Names with our prefix that are not settings.
_OTHER_VARIABLES = ("RECONCILE_CONFIG", "RECONCILE_TEST")


def load_settings(
    flags: Mapping[str, Json], environ: Mapping[str, str], file: Path | None, working_directory: Path | None
) -> LoadedSettings:
    """Merge the four layers, check the result, and read the secrets.

    `flags` maps dotted names to values. `file` is what the user named; without it `reconcile.toml` in
    `working_directory` (None: it is gone) is used if it exists. Raises SettingsError.
    """
    settings, origins = merge_settings(flags, environ, file, working_directory)
    return with_secrets(settings, origins, environ)


def with_secrets(settings: Settings, origins: dict[str, str], environ: Mapping[str, str]) -> LoadedSettings:
    """The settings with their secrets. Raises SettingsError."""
    files = {
        "source.token": settings.source.token_file,
        "source.backup_key": settings.source.backup_key_file,
        "records.token": settings.records.token_file,
        "records.password": settings.records.password_file,
        "http.token": settings.http.token_file,
    }
    secrets = {name: read_secret(name, file, environ) for name, file in files.items()}
    return LoadedSettings(
        settings,
        origins,
        secrets={name: secret for name, (secret, _) in secrets.items()},
        secret_origins={name: origin for name, (_, origin) in secrets.items()},
    )


Layer = tuple[str, dict[str, Json]]  # its origin, and values by setting


def merge_settings(
    flags: Mapping[str, Json], environ: Mapping[str, str], file: Path | None, working_directory: Path | None
) -> tuple[Settings, dict[str, str]]:
    """As `load_settings`, without the secrets: the settings, and the origin of each that is not a default."""
    return merge_layers(settings_layers(flags, environ, file, working_directory), environ)


def settings_layers(
    flags: Mapping[str, Json], environ: Mapping[str, str], file: Path | None, working_directory: Path | None
) -> list[Layer]:
    """The layers in ascending precedence."""
    return [
        *_file_layer(file, environ, working_directory),
        ("environment", _environment_layer(environ)),
        ("flag", dict(flags)),
    ]


def merge_layers(layers: Iterable[Layer], environ: Mapping[str, str]) -> tuple[Settings, dict[str, str]]:
    """The settings, and the origin of each that is not a default. Raises SettingsError."""
    merged: dict[str, dict[str, Json]] = {}
    origins: dict[str, str] = {}
    for origin, layer in layers:
        for name, value in layer.items():
            section, _, key = name.partition(".")
            if (given := written_value(name, value)) is not None:
                merged.setdefault(section, {})[key] = given
                origins[name] = origin
    if environ.get("SUPERVISOR_TOKEN"):
        for name, value in SUPERVISED.items():
            section, _, key = name.partition(".")
            if merged.get(section, {}).get(key) in (None, ""):
                merged.setdefault(section, {})[key] = value
                origins[name] = "SUPERVISOR_TOKEN is set"
    settings = _convert(merged, origins)
    _check_registries(settings, origins)
    _check_peers(settings, origins)
    return settings, origins


def _file_layer(
    file: Path | None, environ: Mapping[str, str], working_directory: Path | None
) -> tuple[Layer, ...]:
    named = file or (Path(environ["RECONCILE_CONFIG"]) if environ.get("RECONCILE_CONFIG") else None)
    path = named or (working_directory and working_directory / DEFAULT_FILE)
    if path is None or (named is None and not path.exists()):
        return ()
    return (read_layer(path),)


def read_layer(path: Path, *, hint: str = "Correct it, or name another with --config.") -> Layer:
    """The layer of a settings file. Raises SettingsError, with `hint` if the file cannot be read."""
    import tomllib

    try:
        document = tomllib.loads(read_text(path, _FILE_BYTES_MAX, _LINE_BYTES_MAX))
    except (OSError, ValueError, RecursionError) as error:
        # Besides its own error, a ValueError, tomllib passes on int()'s error for long numbers.
        raise SettingsError(
            f"The settings file {path} cannot be read: {why_unreadable(error)}.",
            hint,
        ) from error
    layer: dict[str, Json] = {}
    for section, values in document.items():
        if not isinstance(values, dict):
            raise _unknown(section, f"in {path}")
        for key, value in values.items():
            if f"{section}.{key}" in SECRETS:
                raise SettingsError(
                    f"{section}.{key} in {path}: secrets do not belong in the settings file.",
                    f"Put the {key} in a file of its own and name it in {section}.{key}_file, "
                    f"or set RECONCILE_{section.upper()}__{key.upper()}.",
                )
            layer[f"{section}.{key}"] = value
    _check_names(layer, f"in {path}")
    return str(path), layer


def _environment_layer(environ: Mapping[str, str]) -> dict[str, Json]:
    layer: dict[str, Json] = {}
    for variable, value in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable.startswith(_OTHER_VARIABLES):
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".", 1)
        if name in SECRETS:
            continue
        if name not in SETTING_NAMES:
            raise _unknown(name, f"from the environment variable {variable}")
        given = environment_value(name, value)
        if given is not None:
            layer[name] = given
    return layer


def _check_names(layer: Mapping[str, Json], where: str) -> None:
    for name in layer:
        if name not in SETTING_NAMES:
            raise _unknown(name, where)


def _closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    import difflib

    return difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)


def _unknown(name: str, where: str) -> SettingsError:
    close = _closest(name, SETTING_NAMES, cutoff=0.5)
    hint = f"Did you mean {close[0]}?" if close else "`reconcile config show` lists all settings."
    return SettingsError(f"Unknown setting {name} {where}.", hint)


def _convert(merged: Mapping[str, Json], origins: Mapping[str, str]) -> Settings:
    try:
        return msgspec.convert(merged, Settings, strict=False)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        name = path.rstrip("`").partition("[")[0]
        section, _, key = name.partition(".")
        value = merged.get(section, {}).get(key)
        if name in SWITCH_NAMES:
            what = "a switch is true or false (also yes, no, on, off, 1, 0)"
        else:
            what = in_words(what)
        if isinstance(value, list) and origins.get(name) == "environment":
            what += " (in the environment, commas separate the parts of a list)"
        raise SettingsError(
            f"Setting {name} = {value!r} ({origins.get(name, 'default')}) is not accepted: {what}.",
            next(
                (f"It is: {s.description} (default {s.default!r})." for s in DOCUMENTED if s.name == name),
                "",
            ),
        ) from error


def _check_peers(settings: Settings, origins: Mapping[str, str]) -> None:
    for peer in settings.http.trusted_peers:
        try:
            ip_address(peer)
        except ValueError as error:
            raise SettingsError(
                f"Setting http.trusted_peers ({origins.get('http.trusted_peers', 'default')}) names {peer!r}.",
                "Use addresses, such as 172.30.32.2: a peer has no name.",
            ) from error


def _check_registries(settings: Settings, origins: Mapping[str, str]) -> None:
    if not settings.source.registries:
        raise SettingsError(
            "Setting source.registries names none.", f"Registries are: {', '.join(REGISTRIES)}."
        )
    for registry in settings.source.registries:
        if registry not in REGISTRIES:
            close = _closest(registry, REGISTRIES)
            raise SettingsError(
                f"Setting source.registries ({origins.get('source.registries', 'default')}) names {registry!r}.",
                f"Did you mean {close[0]}?" if close else f"Registries are: {', '.join(REGISTRIES)}.",
            )
