"""The settings of many homes: a folder with one file for each, laid over the settings of the process.

A file that is broken is a finding about its own home. It must not keep any other from being read.
"""

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

import msgspec

from engine.core.home.record import Json
from engine.errors import EngineError, SettingsError
from engine.settings import LoadedSettings, Settings
from engine.settings_layers import Layer, merge_layers, read_layer, with_secrets
from engine.settings_sites import SitesSettings

SUFFIX = ".toml"
NAME = re.compile(r"[a-z0-9_-]{1,64}")
# What a home may set for itself; the rest is of the process.
SECTIONS = ("site", "source", "plan", "loop", "rows", "records")
# What suits many homes in one process, where nothing else is set.
DEFAULTS: Mapping[str, Json] = {
    "loop.relist_seconds": 3600,
    "loop.heartbeat_seconds": 30,
    "loop.watch_seconds": 2,
    "loop.jitter_ratio": 0.3,
    "rows.cache_kib": 128,
}

Stamp = tuple[int, int, int]


class SiteFile(msgspec.Struct, frozen=True):
    """What one file came to: the settings of its home, or why there are none."""

    path: Path
    name: str  # of the home, as far as it is known
    stamp: Stamp  # changes with the file
    loaded: LoadedSettings | None = None
    error: EngineError | None = None


class SiteFiles:
    """Reads the folder. Made with what the process was given."""

    def __init__(self, settings: SitesSettings, layers: Iterable[Layer], environ: Mapping[str, str]) -> None:
        """`layers` are those of the process, those that win last, and of these the flags."""
        self._settings = settings
        self._layers = list(layers)
        self._environ = environ
        self._known: dict[Path, SiteFile] = {}
        self._shard = parse_shard(settings.shard)

    def read(self) -> dict[str, SiteFile]:
        """All homes of this process, by name. Files that did not change are not read again.

        Raises SettingsError when the folder cannot be listed.
        """
        folder = Path(self._settings.directory)
        try:
            paths = sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
        except OSError as error:
            raise SettingsError(
                f"The folder {folder} (sites.directory) cannot be listed: {error.strerror}.",
                "Make it, with a file NAME.toml for each home, or correct sites.directory.",
            ) from error
        self._known = {path: self._read(path) for path in paths}
        homes: dict[str, SiteFile] = {}
        for found in self._known.values():
            before = homes.get(found.name)
            if before is None:
                homes[found.name] = found
            else:
                double = SettingsError(
                    f"{found.path} and {before.path} both call their home {found.name}; the latter is kept.",
                    "Give site.name another value in one of them, or remove one.",
                )
                homes[found.path.name] = msgspec.structs.replace(
                    found, name=found.path.name, loaded=None, error=double
                )
        return {name: found for name, found in _apart(homes).items() if is_of_shard(found.name, self._shard)}

    def state_folder(self, name: str) -> Path:
        """Where the stores of a home stand."""
        return Path(self._settings.state) / name

    def _read(self, path: Path) -> SiteFile:
        name = path.stem
        try:
            stamp = _stamp(path)
            known = self._known.get(path)
            if known is not None and known.error is None and known.stamp == stamp:
                return known
            loaded = self._load(path)
        except SettingsError as error:
            return SiteFile(path, name, _stamp(path), error=error)
        return SiteFile(path, loaded.settings.site.name, stamp, loaded)

    def _load(self, path: Path) -> LoadedSettings:
        if not NAME.fullmatch(path.stem):
            raise SettingsError(
                f"{path} names no home: a name is a-z, 0-9, _ and -, at most 64 of them.", "Rename the file."
            )
        origin, own = read_layer(path)
        for setting in own:
            if setting.partition(".")[0] not in SECTIONS:
                raise SettingsError(
                    f"{setting} in {path} is a setting of the whole process.",
                    f"Set it in reconcile.toml; a home has {', '.join(SECTIONS)}.",
                )
        name = str(own.get("site.name", path.stem))
        *below, (flag, flags) = self._layers
        # Of which home a command is about it says by this flag; a file says its own name.
        flags = {setting: value for setting, value in flags.items() if setting != "site.name"}
        layers = [
            ("sites", {**DEFAULTS}),
            *below,
            ("sites", self._own_places(name)),
            (origin, own),
            (flag, flags),
        ]
        settings, origins = merge_layers(layers, self._environ)
        if not settings.source.uri:
            raise SettingsError(f"{path} does not say where its Home Assistant is.", "Set source.uri in it.")
        settings = self._with_secret_files(settings)
        return with_secrets(settings, origins, self._environ)

    def _own_places(self, name: str) -> dict[str, Json]:
        """What no home may share with another one, unless its own file says so."""
        folder = self.state_folder(name)
        places: dict[str, Json] = {"rows.file": str(folder / "rows.db"), "site.name": name}
        given = {setting: value for _, layer in self._layers for setting, value in layer.items()}
        if str(given.get("records.uri", "history:")).startswith("history:"):
            places["records.uri"] = f"history:{folder / 'history.db'}"
        return places

    def _with_secret_files(self, settings: Settings) -> Settings:
        """The files in the folder of secrets, if there is one, where the home names no others."""
        replace = msgspec.structs.replace
        source, http = settings.source, replace(settings.http, token_file="")  # the process's own token
        if not self._settings.secrets:
            return replace(settings, http=http)
        folder = Path(self._settings.secrets) / settings.site.name
        token, http_token = folder / "source_token", folder / "http_token"
        if not source.token_file and (token.exists() or source.uri.startswith(("ws", "http"))):
            source = replace(source, token_file=str(token))
        if http_token.exists():
            http = replace(http, token_file=str(http_token))
        return replace(settings, source=source, http=http)


def parse_shard(text: str) -> tuple[int, int]:
    """I and N of `I/N`. Raises SettingsError."""
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise SettingsError(
            f"The shard {text} (sites.shard, --shard) is none.",
            "Write I/N, from 1/N to N/N; 1/1 is all homes.",
        )
    return int(number), int(count)


def is_of_shard(name: str, shard: tuple[int, int]) -> bool:
    """Whether a home belongs to a shard: always the same one, whichever other homes there are."""
    number, count = shard
    digest = blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % count == number - 1


def _apart(homes: dict[str, SiteFile]) -> dict[str, SiteFile]:
    """Homes that would write to a file of another one are refused."""
    owners: dict[str, str] = {}
    checked = {}
    for name, found in homes.items():
        if found.loaded is not None:
            settings = found.loaded.settings
            places = [settings.rows.file]
            if settings.records.uri.startswith("history:"):
                places.append(settings.records.uri.partition(":")[2])
            taken = next((place for place in places if place in owners), None)
            if taken is not None:
                error = SettingsError(
                    f"{found.path} lets its home write to {taken}, where the home {owners[taken]} writes.",
                    "Leave out rows.file and records.uri, or name files of its own.",
                )
                found = msgspec.structs.replace(found, loaded=None, error=error)  # noqa: PLW2901
            owners |= {} if taken is not None else dict.fromkeys(places, name)
        checked[name] = found
    return checked


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return 0, 0, 0
    return status.st_mtime_ns, status.st_size, status.st_ino
