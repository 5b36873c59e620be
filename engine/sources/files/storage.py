"""The source `storage:DIR`: Home Assistant's own files, read offline and without a token.

`DIR` is the `.storage` folder or the configuration folder that has one. Home Assistant replaces each file
atomically, so no file is ever half written; but the files are written at different times, each 10 s after
its registry's last change, so they may show different moments. A reader cannot prevent that. It can avoid reading
some files before and others after a write: if any changed while they were read, all are read
again. If none changed since this object's last read, none is read.
"""

import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from engine.core.home.snapshot import Snapshot
from engine.errors import SourceInvalid, SourceUnavailable
from engine.files.signature import Signature, signature_of
from engine.pass_cache.contents import Cache
from engine.pass_cache.learned import Learned
from engine.ports import Progress, Source
from engine.process.offload import Offload, to_thread
from engine.sources.files.regular_files import FILE_BYTES_MAX, read_regular_file, reading_failed
from engine.sources.files.remembered_files import RememberedFiles, snapshot_of_remembered
from engine.sources.files.stored_files import FILES, ISSUES_FILE, StorageFiles, StoredFile

READ_TRIES = 3
_VERSION_FILE = ".HA_VERSION"
_VERSION_BYTES_MAX = 100
_VERSION = re.compile(r"\d{1,6}(\.[0-9A-Za-z]{1,20}){1,4}")


class _Look(NamedTuple):
    """The facts that show whether a folder changed without reading it: signatures of our files, names of all files."""

    signatures: dict[Path, Signature | None]
    names: frozenset[str]
    ha_version: str | None


class StorageSource(Source):
    """Reads a `.storage` folder; `clock` gives Unix seconds.

    `between` is called after the files were read and before their signatures are compared: a test uses it to
    write in between, as Home Assistant might.
    """

    def __init__(
        self,
        directory: Path,
        *,
        clock: Callable[[], float] = time.time,
        between: Callable[[], None] = lambda: None,
        offload: Offload = to_thread,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._between = between
        self._offload = offload
        self._last: tuple[_Look, Snapshot] | None = None
        self._remembered = RememberedFiles(self.origin)

    @property
    def origin(self) -> str:
        """The source as shown to users."""
        return f"storage:{self._directory}"

    def recall(self, cache: Cache | None) -> Snapshot | None:
        """Start with what an earlier process learned, or with nothing; see `cache_ports.Recalling`."""
        self._last = None
        return self._remembered.recall(cache)

    def has_learned(self) -> bool:
        """Whether there is anything that the cache lacks."""
        return self._remembered.has_learned()

    def learned(self) -> Learned | None:
        """What the last read learned."""
        return self._remembered.learned()

    def look(self) -> object:
        """As `Polled`."""
        try:
            return _look(self._folder())
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None

    async def read(self, progress: Progress) -> Snapshot:
        """Read the files. Raises SourceInvalid, or SourceUnavailable when they keep changing."""
        return await self._offload(partial(self._read, progress))

    def _read(self, progress: Progress) -> Snapshot:
        try:
            folder = self._folder()
            if not folder.is_dir():
                raise SourceInvalid(
                    f"{self.origin} is not a folder.",
                    "Let source.uri name Home Assistant's configuration folder or the .storage folder in it.",
                )
            taken_at = self._clock()
            if self._last is not None and self._last[0] == _look(folder):
                # Nothing was written, so what was derived from the last read still holds.
                return self._last[1].read_as(taken_at=taken_at)
            files, look = self._read_settled(folder, progress)
        except PermissionError as error:
            raise SourceInvalid(
                f"{error.filename or self.origin} may not be read.",
                "Run as a user who may read Home Assistant's configuration folder.",
            ) from error
        except OSError as error:
            raise reading_failed(self.origin, error) from error
        snapshot = snapshot_of_remembered(
            self._remembered, files, ha_version=look.ha_version, taken_at=taken_at, origin=self.origin
        )
        self._last = (look, snapshot)
        return snapshot

    def _folder(self) -> Path:
        inner = self._directory / ".storage"
        return inner if inner.is_dir() else self._directory

    def _read_settled(self, folder: Path, progress: Progress) -> tuple[StorageFiles, _Look]:
        for _ in range(READ_TRIES):
            before = _look(folder)
            contents = _read_files(folder, progress)
            self._between()
            if before == _look(folder):
                return StorageFiles(str(folder), contents, before.names), before
        raise SourceUnavailable(
            f"{self.origin} was written to during each of {READ_TRIES} reads.",
            "Run again when Home Assistant has settled.",
        )


def _look(folder: Path) -> _Look:
    # Every write, of any store, goes through a temporary file first, also of those we do not read.
    names = frozenset(path.name for path in folder.iterdir() if not path.name.startswith("tmp"))
    files = [*(folder / name for name in FILES), folder.parent / _VERSION_FILE]
    return _Look({file: signature_of(file) for file in files}, names, _read_version(folder))


def _read_files(folder: Path, progress: Progress) -> dict[str, StoredFile]:
    contents = {}
    for done, name in enumerate(sorted(FILES)):
        progress(name, done, len(FILES))
        path = folder / name
        try:
            contents[name] = StoredFile(*read_regular_file(path, FILE_BYTES_MAX))
        except FileNotFoundError:
            continue
        except OSError:
            if name != ISSUES_FILE:
                raise
            # Not a registry; treated as damaged.
            contents[name] = StoredFile(b"", 0.0)
    progress("stored registries", len(FILES), len(FILES))
    return contents


def _read_version(folder: Path) -> str | None:
    """The version that last started with this configuration; None when the folder is alone, or its file is unusable."""
    try:
        text, _ = read_regular_file(folder.parent / _VERSION_FILE, _VERSION_BYTES_MAX)
    except OSError:
        return None
    version = text.decode("utf-8-sig", "replace").strip()
    return version if _VERSION.fullmatch(version) else None
