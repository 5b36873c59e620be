"""`reconcile site`: the homes of `sites.directory`, their files and their state. It does not contact the service.

A running service applies changes within seconds.
"""

import os
import re
import shutil
import sys
from functools import partial
from pathlib import Path

import msgspec

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import working_folder
from engine.commandline.arguments.parser import refuse
from engine.commandline.exit_codes import FAILED, OK
from engine.commandline.interruption import Interruption
from engine.commandline.output import emit_json, emit_text
from engine.commandline.text.progress import ProgressLine
from engine.commandline.text.safe_text import visible, without_secrets
from engine.commandline.verbs.doctor.doctor import needs_token
from engine.composition.source_names import check_source
from engine.composition.sources import open_source
from engine.core.state.report import SCHEMA_VERSION
from engine.errors import EngineError, SettingsError, SourceError, StoreHeld
from engine.files.modes import OWNER_ONLY, make_folder, write_whole
from engine.files.store_lock import hold_store
from engine.settings.layers import merge_layers, settings_layers, with_secrets
from engine.settings.sites import is_site_name
from engine.settings.text import source_uri
from engine.sites.files import SiteFile, SiteFiles
from engine.sites.pauses import is_paused, pause, resume
from engine.sites.shards import StaticShard


class SiteLine(msgspec.Struct, frozen=True):
    """One home in the command's output."""

    name: str
    file: str
    state: str  # ready, paused, invalid; after a check: ok or failed
    source: str | None
    label: str
    tags: tuple[str, ...]
    problem: str | None


class SiteList(msgspec.Struct, frozen=True):
    """The output of `site list --json` and `site check --json`."""

    schema_version: int
    sites: tuple[SiteLine, ...]


class Homes:
    """The homes in the settings' folder."""

    def __init__(self, arguments: Arguments) -> None:
        """Raises SettingsError when no folder of homes is configured."""
        file = Path(arguments.config) if arguments.config else None
        layers = settings_layers({}, os.environ, file, working_folder())
        settings, origins = merge_layers(layers, os.environ)
        self.settings, self.fleet = settings.sites, settings.fleet
        if not self.settings.directory:
            raise SettingsError(
                "No folder of homes is configured.",
                "Set sites.directory (RECONCILE_SITES__DIRECTORY) in reconcile.toml.",
            )
        self.loaded = partial(with_secrets, settings, origins, os.environ)
        self._files = SiteFiles(self.settings, layers, os.environ)
        self._share = StaticShard(self.settings.shard).claim

    def read(self) -> dict[str, SiteFile]:
        """The homes of this process's share, by name."""
        return {name: file for name, file in self._files.read().items() if self._share.covers(name)}

    def claims(self, name: str) -> Path | None:
        """The file of this home, or one that might be."""
        self._files.read()
        return self._files.claims(name)

    def state(self, name: str) -> Path:
        """The folder of a home's state."""
        return self._files.state_folder(name)

    def named(self, name: str) -> SiteFile:
        """The home of this name. Raises SettingsError."""
        homes = self.read()
        if name not in homes:
            raise SettingsError(
                f"There is no home called {visible(name)} in {self.settings.directory}.",
                f"`reconcile site list` shows them; `reconcile site add {visible(name)}` adds it.",
            )
        return homes[name]


def run_site(arguments: Arguments, stop: Interruption) -> int:
    """Run the command. Returns the exit code."""
    if not arguments.name and arguments.site_command not in ("list", "check"):
        refuse("Which home?", f"Write `reconcile site {arguments.site_command} NAME`.")
    homes = Homes(arguments)
    match arguments.site_command:
        case "list":
            return _print(arguments, [_line(homes, file) for _, file in sorted(homes.read().items())])
        case "check":
            return _check(arguments, homes, stop)
        case "add":
            return _add(arguments, homes)
        case "pause" | "resume":
            return _pause(arguments, homes)
        case "remove":
            return _remove(arguments, homes)
        case _:
            return _forget(arguments, homes)


def _line(homes: Homes, file: SiteFile) -> SiteLine:
    settings = file.loaded.settings if file.loaded else None
    state = "paused" if is_paused(homes.state(file.name)) else "invalid" if file.error else "ready"
    return SiteLine(
        name=file.name,
        file=str(file.path),
        state=state,
        source=settings.source.uri if settings else None,
        label=settings.site.label if settings else "",
        tags=settings.site.tags if settings else (),
        problem=f"{file.error.message} {file.error.hint}".strip() if file.error else None,
    )


def _check(arguments: Arguments, homes: Homes, stop: Interruption) -> int:
    """Read each home's Home Assistant once and write nothing."""
    found = homes.read()
    chosen = [homes.named(arguments.name)] if arguments.name else [found[name] for name in sorted(found)]
    lines = []
    for file in chosen:
        line = _line(homes, file)
        if file.loaded is not None and line.state != "paused":
            line = _asked(arguments, file, line, stop)
        lines.append(line)
    return _print(arguments, lines)


def _asked(arguments: Arguments, file: SiteFile, line: SiteLine, stop: Interruption) -> SiteLine:
    assert file.loaded is not None, "only a home with settings has a source"
    try:
        source = open_source(file.loaded)
        with ProgressLine(sys.stderr, quiet=arguments.quiet, verbose=arguments.verbose) as progress:
            stop.run(partial(source.read, progress))
    except (SettingsError, SourceError) as error:
        return msgspec.structs.replace(line, state="failed", problem=f"{error.message} {error.hint}".strip())
    return msgspec.structs.replace(line, state="ok")


def _add(arguments: Arguments, homes: Homes) -> int:
    name = _checked_name(arguments.name)
    path = Path(homes.settings.directory) / f"{name}.toml"
    if path.exists():
        raise SettingsError(f"{path} already exists.", "Edit it, or choose another name.")
    if not arguments.source:
        raise SettingsError(
            f"The address of {name}'s Home Assistant is missing.",
            "Give it with --source, such as ws://HOST:8123.",
        )
    check_source(source_uri(arguments.source))
    text = f"[source]\nuri = {_toml_text(arguments.source)}\n"
    labels = f"label = {_toml_text(arguments.label)}\n" if arguments.label else ""
    if arguments.tags:
        labels += f"tags = [{', '.join(_toml_text(tag) for tag in arguments.tags)}]\n"
    text += f"\n[site]\n{labels}" if labels else ""
    _write(path, text.encode(), f"the home {name}")
    error = homes.named(name).error
    if error is not None and not _is_token_missing(error):
        path.unlink()
        raise SettingsError(error.message, error.hint)
    where = f"{homes.settings.secrets}/{name}/source_token" if homes.settings.secrets else "source.token_file"
    token = f" Put its token into {where}." if needs_token(arguments.source) else ""
    emit_text(f"Added {path}.{token} `reconcile site check {name}` tries it.\n")
    return OK


def _is_token_missing(error: EngineError) -> bool:
    return "source_token" in error.message


def _pause(arguments: Arguments, homes: Homes) -> int:
    file = homes.named(arguments.name)
    is_pause = arguments.site_command == "pause"
    try:
        is_new = (pause if is_pause else resume)(homes.state(file.name))
    except OSError as error:
        raise SettingsError(
            f"{homes.state(file.name)} cannot be written: {error.strerror}.", "Run it as the service's user."
        ) from error
    done = "is paused" if is_pause else "is no longer paused"
    already = "was already paused" if is_pause else "was not paused"
    emit_text(f"{file.name} {done if is_new else already}.\n")
    return OK


def _remove(arguments: Arguments, homes: Homes) -> int:
    file = homes.named(arguments.name)
    try:
        file.path.unlink()
    except OSError as error:
        raise SettingsError(
            f"{file.path} cannot be removed: {error.strerror}.", "Run it as the folder's owner."
        ) from error
    emit_text(
        f"Removed {file.path}; a running service stops keeping the home. Its stores stay in {homes.state(file.name)}: "
        f"`reconcile site forget {file.name}` deletes them.\n"
    )
    return OK


def _forget(arguments: Arguments, homes: Homes) -> int:
    name = _checked_name(arguments.name)
    folder = homes.state(name)
    if (claiming := homes.claims(name)) is not None:
        raise SettingsError(
            f"{visible(str(claiming))} still has settings of the home {name}, or cannot be read and has its name.",
            f"Run `reconcile site remove {name}` first.",
        )
    is_known = bool(homes.fleet.brokers) and _forget_in_fleet(homes, name)
    if not folder.is_dir() or folder.is_symlink():
        if is_known:
            return OK
        raise SettingsError(f"There is no folder {folder}.", "This machine has no data of that home.")
    try:
        with hold_store(folder / "rows.db"):
            shutil.rmtree(folder)  # while no service can start keeping it again
    except StoreHeld as error:
        raise SettingsError(
            f"A service still keeps {name}: {error.message}", "It stops within seconds; try again."
        ) from error
    emit_text(f"Deleted {folder}.\n")
    return OK


def _forget_in_fleet(homes: Homes, name: str) -> bool:
    from engine.composition.kafka import forget_in_fleet

    is_known = forget_in_fleet(homes.loaded(), name)
    if is_known:
        emit_text(f"The fleet has forgotten {name}; its records stay in the topics.\n")
    return is_known


def _checked_name(name: str) -> str:
    if not is_site_name(name):
        raise SettingsError(
            f"{visible(name)!r} cannot be the name of a home.",
            "A name has up to 64 characters: a-z, 0-9, _ and -.",
        )
    return name


def _toml_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\u{ord(m[0]):04x}", escaped) + '"'


def _write(path: Path, content: bytes, what: str) -> None:
    try:
        make_folder(path.parent)
        write_whole(path, content, OWNER_ONLY)
    except OSError as error:
        raise SettingsError(
            f"The file of {what}, {path}, cannot be written: {error.strerror}.",
            "Run it as the folder's owner.",
        ) from error


def _print(arguments: Arguments, lines: list[SiteLine]) -> int:
    if arguments.format == "json":
        emit_json(msgspec.json.encode(SiteList(SCHEMA_VERSION, tuple(lines))))
    else:
        width = max((len(line.name) for line in lines), default=0)
        parts = [
            f"{line.state:<7} {line.name:<{width}}  {_safe(line.problem or line.source or '')}\n"
            for line in lines
        ]
        emit_text("".join(parts) or "There are no homes.\n")
    return FAILED if any(line.problem for line in lines) else OK


def _safe(text: str) -> str:
    return visible(without_secrets(text), 500)
