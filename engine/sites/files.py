"""The settings of many homes: a folder with one file for each, laid over the settings of the process.

A file that is broken is a finding about its own home. It must not keep any other from being read.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from engine.core.records.record import Json
from engine.errors import EngineError, SettingsError, SourceRefused
from engine.settings.layers import Layer, merge_layers, read_layer, with_secrets
from engine.settings.secrets import read_secret
from engine.settings.sections import LoadedSettings, Settings
from engine.settings.sites import SitesSettings, is_site_name
from engine.settings.stores import fleet_uri, kafka_uri

SUFFIX = ".toml"
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

FileSignature = tuple[int, int, int]


class SiteFile(msgspec.Struct, frozen=True):
    """What one file came to: the settings of its home, or why there are none."""

    path: Path
    name: str  # of the home, as far as it is known
    signature: FileSignature  # changes with the file
    loaded: LoadedSettings | None = None
    error: EngineError | None = None


class SiteFiles:
    """Reads the folder. Made with what the process was given."""

    def __init__(self, settings: SitesSettings, layers: Iterable[Layer], environ: Mapping[str, str]) -> None:
        """`layers` are those of the process, those that win last, and of these the flags."""
        self.settings = settings
        self._layers = list(layers)
        self._environ = environ
        self._fleet_uri = fleet_uri(merge_layers(self._layers, environ)[0].fleet)
        self._known: dict[Path, SiteFile] = {}
        self._owners: dict[str, Path] = {}

    def read(self) -> dict[str, SiteFile]:
        """All homes, by name, whoever keeps them. Files that did not change are not read again.

        Raises SettingsError when the folder cannot be listed.
        """
        folder = Path(self.settings.directory)
        try:
            paths = sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
        except OSError as error:
            raise SettingsError(
                f"The folder {folder} (sites.directory) cannot be listed: {error.strerror}.",
                "Make it, with a file NAME.toml for each home, or correct sites.directory.",
            ) from error
        self._known = {path: self._read(path) for path in paths}
        homes: dict[str, SiteFile] = {}
        # A file that comes later takes no home away from the one that is called like it, nor from the one that had it.
        for found in sorted(self._known.values(), key=self._rank):
            before = homes.get(found.name)
            if before is None:
                homes[found.name] = found
            else:
                double = SettingsError(
                    f"{_written(found.path)} and {_written(before.path)} both call their home {found.name}; "
                    "the latter is kept.",
                    "Give site.name another value in one of them, or remove one.",
                )
                name = _written(found.path.name)
                homes[name] = msgspec.structs.replace(found, name=name, loaded=None, error=double)
        self._owners = {name: found.path for name, found in homes.items()}
        return _apart(homes, Path(self.settings.state))

    def claims(self, name: str) -> Path | None:
        """The file that is of this home, or may be: one that cannot be read, and has the name in it. After `read`."""
        for path, found in self._known.items():
            if found.name == name or (found.error is not None and _mentions(path, name)):
                return path
        return None

    def state_folder(self, name: str) -> Path:
        """Where the stores of a home stand."""
        return Path(self.settings.state) / name

    def _rank(self, found: SiteFile) -> tuple[bool, bool, Path]:
        return self._owners.get(found.name) != found.path, found.name != found.path.stem, found.path

    def _read(self, path: Path) -> SiteFile:
        known = self._known.get(path)
        try:
            signature = _signature(path)
            if known is not None and known.signature == signature and self._is_current(known):
                return known
            loaded = self._load(path)
        except SettingsError as error:
            # A file that breaks goes on speaking of its home.
            name = known.name if known is not None else _written(path.stem)
            return SiteFile(path, name, _signature(path), error=error)
        return SiteFile(path, loaded.settings.site.name, signature, loaded)

    def _is_current(self, known: SiteFile) -> bool:
        """Whether a file that did not change says what it said: a token that opens its home may have come since."""
        if known.loaded is None:
            return False
        token = Path(self.settings.secrets) / known.name / "http_token"
        has_token = not self.settings.secrets or known.loaded.settings.http.token_file
        return bool(has_token) or not os.path.exists(token)  # noqa: PTH110

    def _load(self, path: Path) -> LoadedSettings:
        if not is_site_name(path.stem):
            raise SettingsError(
                f"{_written(path)} names no home: a name is a-z, 0-9, _ and -, at most 64 of them.",
                "Rename the file.",
            )
        check_plain(path)
        origin, own = read_layer(path, hint="Correct it; the other homes go on meanwhile.")
        for setting in own:
            if setting.partition(".")[0] not in SECTIONS:
                raise SettingsError(
                    f"{setting} in {path} is a setting of the whole process.",
                    f"Set it in reconcile.toml; a home has {', '.join(SECTIONS)}.",
                )
        name = str(own.get("site.name", path.stem))
        if "\n" in name:  # a pattern's $ also matches before it
            raise SettingsError(
                f"site.name = {name!r} in {path} is no name.",
                "A name is a-z, 0-9, _ and -, at most 64 of them.",
            )
        *below, (flag, flags) = self._layers
        # Of which home a command is about it says by this flag, and means it by the others; a file says its own name.
        is_meant = flags.get("site.name", name) == name
        flags = {setting: value for setting, value in flags.items() if is_meant and setting != "site.name"}
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
        if self._fleet_uri and kafka_uri(settings) != self._fleet_uri:
            raise SettingsError(
                f"{path} names a Kafka of its own, and the homes of a fleet are kept in that of fleet.brokers.",
                "Leave out records.kafka_uri, and let records.uri name a store of earlier versions.",
            )
        settings = self._with_secret_files(settings)
        check_plain(settings.source.token_file, settings.source.backup_key_file, settings.http.token_file)
        check_plain(settings.records.token_file, settings.records.password_file)
        return with_secrets(settings, origins, self._environ)

    def _own_places(self, name: str) -> dict[str, Json]:
        """What two homes must not share, unless a home's settings file sets it explicitly."""
        folder = self.state_folder(name)
        places: dict[str, Json] = {"rows.file": str(folder / "rows.db"), "site.name": name}
        given = {setting: value for _, layer in self._layers for setting, value in layer.items()}
        if str(given.get("records.uri", "history:")).startswith("history:"):
            places["records.uri"] = f"history:{folder / 'history.db'}"
        if self._fleet_uri:
            places["records.kafka_uri"] = self._fleet_uri
        return places

    def _with_secret_files(self, settings: Settings) -> Settings:
        """The files in the folder of secrets, if there is one, where the home names no others."""
        replace = msgspec.structs.replace
        source, http = settings.source, replace(settings.http, token_file="")  # the process's own token
        if not self.settings.secrets:
            return replace(settings, http=http)
        folder = Path(self.settings.secrets) / settings.site.name
        token, http_token = folder / "source_token", folder / "http_token"
        # A folder that may not be looked into is a finding about its home, too: pathlib's `exists` raises there.
        if not source.token_file and (os.path.exists(token) or source.uri.startswith(("ws", "http"))):  # noqa: PTH110
            source = replace(source, token_file=str(token))
        if os.path.exists(http_token):  # noqa: PTH110
            http = replace(http, token_file=str(http_token))
        return replace(settings, source=source, http=http)


def check_plain(*files: Path | str) -> None:
    """Refuse what would keep everybody waiting: opening a pipe waits for who writes to it. Raises SettingsError."""
    for file in files:
        if os.path.exists(file) and not os.path.isfile(file):  # noqa: PTH110, PTH113 (pathlib's may raise)
            raise SettingsError(
                f"{_written(file)} cannot be read: it is no file.", "Put a file in its place."
            )


def http_token(file: SiteFile) -> str | None:
    """The token that opens this home only, as its file has it now; None without one, or while it is broken."""
    if file.loaded is None or not file.loaded.settings.http.token_file:
        return None
    try:
        check_plain(file.loaded.settings.http.token_file)
        return read_secret("http.token", file.loaded.settings.http.token_file, {})[0].reveal() or None
    except SettingsError:
        return None


def read_token(file: str) -> str:
    """The token as its file has it now. Raises SourceRefused."""
    try:
        check_plain(file)
        return read_secret("source.token", file, {})[0].reveal()
    except SettingsError as error:
        raise SourceRefused(error.message, error.hint) from error


def _apart(homes: dict[str, SiteFile], state: Path) -> dict[str, SiteFile]:
    """Homes that would write to a file of another one, or into its folder, are refused."""
    owners: dict[str, str] = {}
    checked = {}
    root = os.path.realpath(state)
    for name, found in homes.items():
        if found.loaded is not None:
            settings = found.loaded.settings
            places = [settings.rows.file]
            if settings.records.uri.startswith("history:"):
                places.append(settings.records.uri.partition(":")[2])
            real = [os.path.realpath(place) for place in places]
            others = {place: owner for place in real if (owner := _owner(place, root, homes, name))}
            taken = next((place for place in real if place in owners or place in others), None)
            if taken is not None:
                owner = owners.get(taken) or others[taken]
                error = SettingsError(
                    f"{found.path} lets its home write to {taken}, where the home {owner} writes.",
                    "Leave out rows.file and records.uri, or name files of its own.",
                )
                found = msgspec.structs.replace(found, loaded=None, error=error)  # noqa: PLW2901
            owners |= {} if taken is not None else dict.fromkeys(real, name)
        checked[name] = found
    return checked


def _owner(place: str, root: str, homes: Iterable[str], name: str) -> str | None:
    """The other home in whose folder a place is."""
    if not place.startswith(f"{root}{os.sep}"):
        return None
    folder = place.removeprefix(f"{root}{os.sep}").partition(os.sep)[0]
    return folder if folder != name and folder in homes else None


def _mentions(path: Path, name: str) -> bool:
    try:
        return not path.is_file() or name.encode() in path.read_bytes()
    except OSError:
        return True


def _written(path: Path | str) -> str:
    """A file's name as text that can be sent and printed: Linux takes any bytes for one."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _signature(path: Path) -> FileSignature:
    try:
        status = path.stat()
    except OSError:
        return 0, 0, 0
    return status.st_mtime_ns, status.st_size, status.st_ino
