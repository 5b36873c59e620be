"""Settings: what can be set, where each value came from, and one clear error for what cannot be.

Flags win over the environment (`RECONCILE_SECTION__KEY`), that over the TOML file, that over defaults.
Secrets are never flags and never in the TOML file; they come from files or the environment, and their type
does not print them.
"""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from engine.core.guard import Policy
from engine.core.record import REGISTRIES, Json
from engine.errors import SettingsError

ENVIRONMENT_PREFIX = "RECONCILE_"
DEFAULT_FILE = "reconcile.toml"
SUPERVISOR_URI = "ws://supervisor/core/websocket"

# Names with our prefix that are no settings.
_OTHER_VARIABLES = ("RECONCILE_CONFIG", "RECONCILE_TEST")


class Secret:
    """A text that does not print itself."""

    def __init__(self, text: str) -> None:
        """Keep the text for `reveal`."""
        self._text = text

    def reveal(self) -> str:
        """The text, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which home this is."""

    name: Annotated[
        str,
        Meta(
            description="the home's name in records, metrics and reports: a-z, 0-9, _ and -",
            pattern="^[a-z0-9_-]{1,64}$",
        ),
    ] = "home"


class SourceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the desired state is read."""

    uri: Annotated[
        str,
        Meta(
            description="ws://, wss://, http:// or https:// of Home Assistant; or storage:DIR, backup:FILE.tar, capture:DIR"
        ),
    ] = ""
    token_file: Annotated[
        str, Meta(description="file that holds a long-lived access token; a read-only user's will do")
    ] = ""
    registries: Annotated[tuple[str, ...], Meta(description="which registries to mirror")] = REGISTRIES
    message_bytes_max: Annotated[
        int,
        Meta(
            description="largest websocket message accepted, bytes; 20,000 entities are about 14 MB",
            ge=65_536,
            le=2**31,
        ),
    ] = 64 * 1024 * 1024
    timeout_seconds: Annotated[
        float,
        Meta(
            description="seconds to wait for an answer; Home Assistant's loop can be blocked for 8",
            ge=1,
            le=600,
        ),
    ] = 30.0


class RowsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The SQLite replica."""

    file: Annotated[
        str, Meta(description="SQLite file; an existing HomeIQ metadata.db is adopted in place")
    ] = "reconcile.db"
    changes_max: Annotated[
        int, Meta(description="newest changes kept in the change feed", ge=100, le=10_000_000)
    ] = 50_000
    tombstone_days: Annotated[
        int,
        Meta(
            description="days a deleted row is kept to be brought back; Home Assistant keeps its own for 30",
            ge=1,
            le=3650,
        ),
    ] = 60


class RecordsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The records replica: every version of every record."""

    uri: Annotated[str, Meta(description="history:FILE, or none")] = "history:reconcile-history.db"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings, by section."""

    site: Site = Site()
    source: SourceSettings = SourceSettings()
    rows: RowsSettings = RowsSettings()
    records: RecordsSettings = RecordsSettings()
    plan: Policy = Policy()


class Setting(msgspec.Struct, frozen=True):
    """One setting as documented: its dotted name, default and description."""

    name: str
    default: Json
    description: str


class LoadedSettings(msgspec.Struct, frozen=True):
    """Settings, the secret token, and where each value that is not a default came from."""

    settings: Settings
    token: Secret
    origins: dict[str, str]
    token_origin: str


def documented_settings() -> tuple[Setting, ...]:
    """Every setting, in file order."""
    found = []
    for section in msgspec.structs.fields(Settings):
        for field in msgspec.structs.fields(section.type):
            meta = field.type.__metadata__[0]
            found.append(Setting(f"{section.name}.{field.name}", field.default, meta.description))
    return tuple(found)


def load_settings(
    flags: Mapping[str, Json], environ: Mapping[str, str], file: Path | None, working_directory: Path
) -> LoadedSettings:
    """Merge the four layers and check the result.

    `flags` maps dotted names to values. `file` is what the user named; without it `reconcile.toml` in
    `working_directory` is used if it is there. Raises SettingsError.
    """
    merged: dict[str, dict[str, Json]] = {}
    origins: dict[str, str] = {}
    layers = (
        *_file_layer(file, environ, working_directory),
        ("environment", _environment_layer(environ)),
        ("flag", dict(flags)),
    )
    for origin, layer in layers:
        for name, value in layer.items():
            section, _, key = name.partition(".")
            merged.setdefault(section, {})[key] = value
            origins[name] = origin
    supervised = bool(environ.get("SUPERVISOR_TOKEN"))
    if supervised and not merged.get("source", {}).get("uri"):
        merged.setdefault("source", {})["uri"] = SUPERVISOR_URI
        origins["source.uri"] = "SUPERVISOR_TOKEN is set"
    settings = _convert(merged, origins)
    _check_registries(settings, origins)
    token, token_origin = _find_token(settings, environ)
    return LoadedSettings(settings, token, origins, token_origin)


def _file_layer(
    file: Path | None, environ: Mapping[str, str], working_directory: Path
) -> tuple[tuple[str, dict[str, Json]], ...]:
    named = file or (Path(environ["RECONCILE_CONFIG"]) if environ.get("RECONCILE_CONFIG") else None)
    path = named or working_directory / DEFAULT_FILE
    if named is None and not path.exists():
        return ()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(
            f"The settings file {path} cannot be read: {error}.", "Correct it, or name another with --config."
        ) from error
    layer: dict[str, Json] = {}
    for section, values in document.items():
        if not isinstance(values, dict):
            raise _unknown(section, f"in {path}")
        for key, value in values.items():
            if (section, key) == ("source", "token"):
                raise SettingsError(
                    f"source.token in {path}: secrets do not belong in the settings file.",
                    "Put the token in a file of its own and name it in source.token_file, "
                    "or set RECONCILE_SOURCE__TOKEN.",
                )
            layer[f"{section}.{key}"] = value
    _check_names(layer, f"in {path}")
    return ((str(path), layer),)


def _environment_layer(environ: Mapping[str, str]) -> dict[str, Json]:
    layer: dict[str, Json] = {}
    for variable, value in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable.startswith(_OTHER_VARIABLES):
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".", 1)
        if name == "source.token":
            continue
        if name not in _NAMES:
            raise _unknown(name, f"from the environment variable {variable}")
        layer[name] = [v.strip() for v in value.split(",")] if name == "source.registries" else value
    return layer


def _check_names(layer: Mapping[str, Json], where: str) -> None:
    for name in layer:
        if name not in _NAMES:
            raise _unknown(name, where)


def _unknown(name: str, where: str) -> SettingsError:
    close = difflib.get_close_matches(name, _NAMES, n=1, cutoff=0.5)
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
        raise SettingsError(
            f"Setting {name} = {value!r} ({origins.get(name, 'default')}) is not accepted: {what}.",
            next(
                (f"It is: {s.description} (default {s.default!r})." for s in _DOCUMENTED if s.name == name),
                "",
            ),
        ) from error


def _check_registries(settings: Settings, origins: Mapping[str, str]) -> None:
    for registry in settings.source.registries:
        if registry not in REGISTRIES:
            close = difflib.get_close_matches(registry, REGISTRIES, n=1)
            raise SettingsError(
                f"Setting source.registries ({origins.get('source.registries', 'default')}) names {registry!r}.",
                f"Did you mean {close[0]}?" if close else f"Registries are: {', '.join(REGISTRIES)}.",
            )


def _find_token(settings: Settings, environ: Mapping[str, str]) -> tuple[Secret, str]:
    if settings.source.token_file:
        return _token_from(Path(settings.source.token_file)), f"file {settings.source.token_file}"
    if environ.get("RECONCILE_SOURCE__TOKEN"):
        return Secret(environ["RECONCILE_SOURCE__TOKEN"].strip()), "RECONCILE_SOURCE__TOKEN"
    for directory in (environ.get("CREDENTIALS_DIRECTORY"), "/run/secrets"):
        candidate = Path(directory or "/nonexistent") / "source_token"
        if candidate.is_file():
            return _token_from(candidate), f"file {candidate}"
    if environ.get("SUPERVISOR_TOKEN"):
        return Secret(environ["SUPERVISOR_TOKEN"]), "SUPERVISOR_TOKEN"
    return Secret(""), "not given"


def _token_from(path: Path) -> Secret:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The token file {_shown(path)} cannot be read ({type(error).__name__}).",
            "Correct source.token_file, or the file's mode.",
        ) from error
    if not text or any(c.isspace() for c in text):
        raise SettingsError(
            f"The token file {_shown(path)} does not hold one token.",
            "It must hold the long-lived access token and nothing else.",
        )
    return Secret(text)


def _shown(path: Path) -> str:
    # Somebody may have put the token itself where its file's name belongs; a token is long and has no slash.
    return str(path) if "/" in str(path) or len(str(path)) < 40 else "***"


_DOCUMENTED = documented_settings()
_NAMES = tuple(s.name for s in _DOCUMENTED)
