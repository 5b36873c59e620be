"""The settings of many homes: a folder with one file for each, laid over the settings of the process.

A broken file affects only its own home and must not keep any other file from being read.
"""

import os
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path

import msgspec

from engine.core.records.record import Json
from engine.errors import EngineError, SettingsError, SourceRefused
from engine.files.real_paths import real_path
from engine.files.signature import Signature, signature_of
from engine.settings.layers import Layer, merge_layers, read_layer, with_secrets
from engine.settings.secrets import read_secret
from engine.settings.sections import LoadedSettings, Settings
from engine.settings.sites import SitesSettings, is_site_name
from engine.settings.stores import fleet_uri, kafka_uri

SUFFIX = ".toml"
# The sections that a home may set; all others belong to the process.
SECTIONS = ("site", "source", "plan", "loop", "rows", "records")
# Defaults that suit many homes in one process.
DEFAULTS: Mapping[str, Json] = {
    "loop.relist_seconds": 3600,
    "loop.heartbeat_seconds": 30,
    "loop.watch_seconds": 2,
    "loop.jitter_ratio": 0.3,
    "rows.cache_kib": 128,
}


class SiteFile(msgspec.Struct, frozen=True):
    """The result of reading one file: the settings of its home, or the error."""

    path: Path
    name: str  # the home's name, as far as it is known
    signature: Hashable  # changes with the file
    loaded: LoadedSettings | None = None
    error: EngineError | None = None


class SiteFiles:
    """Reads the folder of homes, under the settings of the process."""

    def __init__(self, settings: SitesSettings, layers: Iterable[Layer], environ: Mapping[str, str]) -> None:
        """`layers` are the process's layers of settings; later ones win, and the flags come last."""
        self.settings = settings
        self._layers = list(layers)
        self._environ = environ
        self._fleet_uri = fleet_uri(merge_layers(self._layers, environ)[0].fleet)
        self._known: dict[Path, SiteFile] = {}
        self._owners: dict[str, Path] = {}

    def read(self) -> dict[str, SiteFile]:
        """All homes by name, whichever process keeps them. Unchanged files are not read again.

        Raises SettingsError when the folder cannot be listed.
        """
        folder = Path(self.settings.directory)
        try:
            paths = sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
        except OSError as error:
            raise SettingsError(
                f"The folder {folder} (sites.directory) cannot be listed: {error.strerror}.",
                "Create it, with a file NAME.toml for each home, or correct sites.directory.",
            ) from error
        self._known = {path: self._read(path) for path in paths}
        homes: dict[str, SiteFile] = {}
        # A later file cannot take a home from the file with the home's name or from the file that had it before.
        for found in sorted(self._known.values(), key=self._rank):
            before = homes.get(found.name)
            if before is None:
                homes[found.name] = found
            else:
                double = SettingsError(
                    f"{_written(found.path)} and {_written(before.path)} both name their home {found.name}; "
                    "the latter is kept.",
                    "Give site.name another value in one of them, or remove one.",
                )
                name = _written(found.path.name)
                homes[name] = msgspec.structs.replace(found, name=name, loaded=None, error=double)
        self._owners = {name: found.path for name, found in homes.items()}
        return _apart(homes, Path(self.settings.state))

    def claims(self, name: str) -> Path | None:
        """The file of this home, or an unreadable file that contains its name. Call it after `read`."""
        for path, found in self._known.items():
            if found.name == name or (found.error is not None and _mentions(path, name)):
                return path
        return None

    def state_folder(self, name: str) -> Path:
        """The folder of a home's stores."""
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
            # A file that becomes broken still belongs to its home.
            name = known.name if known is not None else _written(path.stem)
            return SiteFile(path, name, _signature(path), error=error)
        return SiteFile(path, loaded.settings.site.name, signature, loaded)

    def _is_current(self, known: SiteFile) -> bool:
        """Whether an unchanged file still means the same: the home's token file may be newer."""
        if known.loaded is None:
            return False
        token = Path(self.settings.secrets) / known.name / "http_token"
        has_token = not self.settings.secrets or known.loaded.settings.http.token_file
        return bool(has_token) or not os.path.exists(token)  # noqa: PTH110

    def _load(self, path: Path) -> LoadedSettings:
        if not is_site_name(path.stem):
            raise SettingsError(
                f"{_written(path)} does not name a home: a name has 1 to 64 characters, a-z, 0-9, _ and -.",
                "Rename the file.",
            )
        check_plain(path)
        origin, own = read_layer(path, hint="Correct it; the other homes are still kept.")
        for setting in own:
            if setting.partition(".")[0] not in SECTIONS:
                raise SettingsError(
                    f"{setting} in {path} belongs to the whole process.",
                    f"Set it in reconcile.toml; a home's file may have {', '.join(SECTIONS)}.",
                )
        name = str(own.get("site.name", path.stem))
        if "\n" in name:  # a pattern's $ also matches before it
            raise SettingsError(
                f"site.name = {name!r} in {path} is not a valid name.",
                "A name has 1 to 64 characters: a-z, 0-9, _ and -.",
            )
        *below, (flag, flags) = self._layers
        # A command names its home with this flag, and its other flags are for that home; a file names its own home.
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
            raise SettingsError(f"{path} does not name its Home Assistant.", "Set source.uri in it.")
        if self._fleet_uri and kafka_uri(settings) != self._fleet_uri:
            raise SettingsError(
                f"{path} names a Kafka of its own, but a fleet keeps its homes in the Kafka of fleet.brokers.",
                "Remove records.kafka_uri, and let records.uri name a store of earlier versions.",
            )
        settings = self._with_secret_files(settings)
        check_plain(settings.source.token_file, settings.source.backup_key_file, settings.http.token_file)
        check_plain(settings.records.token_file, settings.records.password_file)
        return with_secrets(settings, origins, self._environ)

    def _own_places(self, name: str) -> dict[str, Json]:
        """The defaults that keep homes apart: paths that two homes must not share unless their files say so."""
        folder = self.state_folder(name)
        places: dict[str, Json] = {"rows.file": str(folder / "rows.db"), "site.name": name}
        given = {setting: value for _, layer in self._layers for setting, value in layer.items()}
        if str(given.get("records.uri", "history:")).startswith("history:"):
            places["records.uri"] = f"history:{folder / 'history.db'}"
        if self._fleet_uri:
            places["records.kafka_uri"] = self._fleet_uri
        return places

    def _with_secret_files(self, settings: Settings) -> Settings:
        """The settings with the files in the folder of secrets, if it exists, unless the home's file names others."""
        replace = msgspec.structs.replace
        source, http = settings.source, replace(settings.http, token_file="")  # the process's own token
        if not self.settings.secrets:
            return replace(settings, http=http)
        folder = Path(self.settings.secrets) / settings.site.name
        token, http_token = folder / "source_token", folder / "http_token"
        # A folder without permission to list it is an error of its home too: pathlib's `exists` raises there.
        if not source.token_file and (os.path.exists(token) or source.uri.startswith(("ws", "http"))):  # noqa: PTH110
            source = replace(source, token_file=str(token))
        if os.path.exists(http_token):  # noqa: PTH110
            http = replace(http, token_file=str(http_token))
        return replace(settings, source=source, http=http)


def check_plain(*files: Path | str) -> None:
    """Refuse anything but a file: opening a pipe would block until something writes to it. Raises SettingsError."""
    for file in files:
        if os.path.exists(file) and not os.path.isfile(file):  # noqa: PTH110, PTH113 (pathlib's may raise)
            raise SettingsError(
                f"{_written(file)} cannot be read: it is not a file.", "Put a file in its place."
            )


def http_token(file: SiteFile) -> str | None:
    """The token that grants access to this home only, as its file has it now; None if there is no valid one."""
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
    """Refuse homes that would write to a file of another home, or into its folder."""
    owners: dict[str, str] = {}
    checked = {}
    folders: dict[str, str] = {}
    root = os.path.realpath(state)
    for name, found in homes.items():
        if found.loaded is not None:
            settings = found.loaded.settings
            places = [settings.rows.file]
            if settings.records.uri.startswith("history:"):
                places.append(settings.records.uri.partition(":")[2])
            real = [real_path(place, folders) for place in places]
            others = {place: owner for place in real if (owner := _owner(place, root, homes, name))}
            taken = next((place for place in real if place in owners or place in others), None)
            if taken is not None:
                owner = owners.get(taken) or others[taken]
                error = SettingsError(
                    f"{found.path} makes its home write to {taken}, where the home {owner} writes.",
                    "Remove rows.file and records.uri, or name files of its own.",
                )
                found = msgspec.structs.replace(found, loaded=None, error=error)  # noqa: PLW2901
            owners |= {} if taken is not None else dict.fromkeys(real, name)
        checked[name] = found
    return checked


def _owner(place: str, root: str, homes: Iterable[str], name: str) -> str | None:
    """The other home whose folder contains this path."""
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
    """A file's name as text that can be sent and printed: Linux allows any bytes in a name."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _signature(path: Path) -> Signature | None:
    try:
        return signature_of(path)
    except OSError:
        return None
