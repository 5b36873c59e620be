"""The source `backup:FILE`: a backup of Home Assistant, read in place; an encrypted one needs its key.

A backup is a plain tar with `backup.json` and `homeassistant.tar.gz` (or `.tar`). The latter holds the registry files
below `data/.storage/`, as last saved, so up to one save delay older than the backup (cores
2024.3.3 and 2026.11.0, and Supervisor; seen 2026-11-23). Nothing is extracted to disk: the few members that
are needed are read by their exact names, so no name in the archive can escape to another path. Sizes are bounded,
because an archive may claim, or unpack to, any size.
"""

import gzip
import os
import sys
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from engine.core.guards.look import Calendar
from engine.core.home.snapshot import Snapshot
from engine.core.times import rfc3339
from engine.errors import SourceInvalid, SourceRefused
from engine.files.signature import signature_of
from engine.pass_cache.contents import Cache
from engine.pass_cache.learned import Learned
from engine.ports import Progress, Source
from engine.process.offload import Offload, to_thread
from engine.sources.files.archive_readers import BoundedReader, ForwardReader
from engine.sources.files.backup_info import INFO_DECODER, BackupInfo
from engine.sources.files.regular_files import FILE_BYTES_MAX, open_regular_file, reading_failed
from engine.sources.files.remembered_files import RememberedFiles
from engine.sources.files.stored_files import FILES, StorageFiles, StoredFile
from engine.sources.json_text import decode_json

INNER_BYTES_MAX = 64 * 2**30  # unpacked; most of it is the recorder's database, which is skipped
# A database shrinks to a tenth; gzip shrinks repetitive data to a thousandth.
UNPACKED_RATIO_MAX = 200
_UNPACKED_ALWAYS_BYTES = 2**30
MEMBERS_MAX = 1_000_000
_CHUNK_BYTES = 2**20

_INNER_NAMES = ("homeassistant.tar.gz", "homeassistant.tar")
_STORAGE = "data/.storage/"
_GZIP_MAGIC = b"\x1f\x8b"
_TAR_MAGIC, _TAR_MAGIC_OFFSET = b"ustar", 257
_SECURETAR_MAGIC = b"SecureTar"
_BLOCK_BYTES = 512
# Less is no date in the future: no two machines' clocks show the same.
_CLOCKS_DIFFER_SECONDS = 1.0

_REMEDY = "Make another backup, or let source.uri name the configuration folder with storage:DIR."
_KEY_REMEDY = (
    "Name the file that holds its encryption key in source.backup_key_file: Home Assistant shows the key in Settings, "
    "System, Backups, and its emergency kit is such a file. Or download the backup from Home Assistant, which decrypts "
    "it on the way."
)


class BackupSource(Source):
    """Reads a backup. `clock` gives Unix seconds, used for a backup without a date that can be believed; `calendar`
    converts its times to the wall clock, by which backups are dated; `key` opens an encrypted one.
    """

    def __init__(
        self,
        file: Path,
        *,
        key: str = "",
        clock: Callable[[], float] = time.time,
        calendar: Callable[[], Calendar] = Calendar,
        offload: Offload = to_thread,
    ) -> None:
        self._calendar = calendar
        self._note: str | None = None  # about the date of the last read
        self._file = file
        self._key = key
        self._offload = offload
        self._clock = clock
        self._remembered = RememberedFiles(self.origin)
        self._is_lasting = True  # whether the same bytes would give the same snapshot again

    @property
    def origin(self) -> str:
        """The source as shown to users."""
        return f"backup:{self._file}"

    def recall(self, cache: Cache | None) -> Snapshot | None:
        """Start with what an earlier process learned, or with nothing; see `cache_ports.Recalling`."""
        return self._remembered.recall(cache)

    def has_learned(self) -> bool:
        """Whether there is anything that the cache lacks."""
        return self._remembered.has_learned()

    def learned(self) -> Learned | None:
        """What the last read learned; None for a backup that needs a key, and for one whose date cannot be believed."""
        return self._remembered.learned() if self._is_lasting else None

    def look(self) -> object:
        """As `Polled`."""
        try:
            return signature_of(self._file)
        except PermissionError:
            return None

    async def read(self, progress: Progress) -> Snapshot:
        """Read the backup; the snapshot has the backup's date, if that can be believed.

        Raises SourceRefused when it is encrypted and the key does not open it, SourceInvalid when it is damaged or
        not a backup, SourceUnavailable when the file cannot be read.
        """
        return await self._offload(partial(self._read, progress))

    def _read(self, progress: Progress) -> Snapshot:
        return self._read_home(progress).read_as(is_frozen=True, note=self._note)

    def _read_home(self, progress: Progress) -> Snapshot:
        read_at = self._clock()
        try:
            with open_regular_file(self._file) as opened:
                written_at = os.fstat(opened.fileno()).st_mtime
                answers = {"archive": self._digest(opened)}
                known = self._remembered.known(answers)
                if known is not None:
                    return known
                self._is_lasting = True
                info, files = self._read_archive(opened, progress)
        except (
            tarfile.TarError,
            gzip.BadGzipFile,
            zlib.error,
            EOFError,
            ValueError,
            RecursionError,
        ) as error:
            # tarfile passes on int()'s ValueError for a bad header, and recurses along chains of headers without a limit.
            raise SourceInvalid(
                f"{self._file} is damaged, or not a Home Assistant backup: {error}.", "Make another backup."
            ) from error
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise SourceInvalid(
                f"{self._file} cannot be read: {error.strerror}.", "Let source.uri name a backup file."
            ) from error
        except OSError as error:
            raise reading_failed(str(self._file), error) from error
        taken_at, note = self._taken_at(info, read_at, written_at - self._calendar().shift)
        home = self._remembered.read(
            files, answers, ha_version=info.ha_version, taken_at=taken_at, origin=self.origin
        )
        self._note, self._is_lasting = note, self._is_lasting and note is None
        return home

    def _digest(self, opened: IO[bytes]) -> str:
        digest = self._remembered.fingerprint.begin()
        while chunk := opened.read(_CHUNK_BYTES):
            digest.update(chunk)
        opened.seek(0)
        return digest.hexdigest()

    def _read_archive(self, opened: IO[bytes], progress: Progress) -> tuple[BackupInfo, StorageFiles]:
        reader = BoundedReader(opened, self._file)
        with tarfile.open(fileobj=reader, mode="r:") as outer:
            # Not compressed, so no member can be longer than the file.
            file_bytes = os.fstat(opened.fileno()).st_size
            members: dict[str, tarfile.TarInfo] = {}
            for member in self._bounded(outer, sys.maxsize):
                if member.offset_data + member.size > file_bytes:
                    raise SourceInvalid(
                        f"{self._file} is damaged: it is cut off within {member.name[:80]!r}.",
                        "Make another backup.",
                    )
                if member.isreg():
                    members[member.name.removeprefix("./")] = member
            self._check_end(reader)
            info_member = members.get("backup.json")
            inner_member = next((members[name] for name in _INNER_NAMES if name in members), None)
            if info_member is None:
                raise SourceInvalid(f"{self._file} has no backup.json: not a Home Assistant backup.", _REMEDY)
            content = self._content(outer, info_member)
            info = decode_json(INFO_DECODER, content, f"backup.json in {self._file}")
            if inner_member is None:
                raise SourceInvalid(
                    f"{self._file} is a partial backup without Home Assistant's settings.",
                    "Make a backup that includes Home Assistant.",
                )
            inner = outer.extractfile(inner_member)
            assert inner is not None  # a regular file has content
            files = self._read_inner(inner, inner_member.size, progress, is_protected=info.protected is True)
            return info, files

    def _read_inner(
        self, inner: IO[bytes], size: int, progress: Progress, *, is_protected: bool
    ) -> StorageFiles:
        start = inner.read(_BLOCK_BYTES)
        inner.seek(0)
        is_plain = start.startswith(_GZIP_MAGIC) or start[_TAR_MAGIC_OFFSET:].startswith(_TAR_MAGIC)
        if is_plain or not (is_protected or start.startswith(_SECURETAR_MAGIC)):
            return self._read_unpacked(self._unpacked(inner, start, inner), size, progress)
        self._is_lasting = False
        if not self._key:
            raise SourceRefused(f"{self._file} is encrypted.", _KEY_REMEDY)
        # Imported here because hardly any command reads an encrypted backup.
        from engine.sources.files.backup_decryption import decrypted  # noqa: PLC0415

        with decrypted(inner, size, self._key, str(self._file)) as opened:
            unpacked = self._unpacked(opened, opened.peek(1), ForwardReader(opened))
            return self._read_unpacked(unpacked, size, progress)

    def _unpacked(self, packed: IO[bytes], start: bytes, plain: IO[bytes] | ForwardReader) -> BoundedReader:
        """The tar in data that begins with `start`: unpacked by gzip, or `plain` itself."""
        is_gzip = start.startswith(_GZIP_MAGIC)
        opened = ForwardReader(gzip.GzipFile(fileobj=packed, mode="rb")) if is_gzip else plain
        return BoundedReader(opened, self._file)

    def _read_unpacked(self, reader: BoundedReader, packed: int, progress: Progress) -> StorageFiles:
        unpacked_max = min(INNER_BYTES_MAX, max(_UNPACKED_ALWAYS_BYTES, packed * UNPACKED_RATIO_MAX))
        contents: dict[str, StoredFile] = {}
        names = set()
        with tarfile.open(fileobj=reader, mode="r:") as archive:
            for done, member in enumerate(self._bounded(archive, unpacked_max)):
                if done % 1000 == 0:
                    progress("backup", done, None)
                path = member.name.removeprefix("./")
                name = path.removeprefix(_STORAGE)
                if name == path or "/" in name or not member.isreg():
                    continue
                names.add(name)
                if name in FILES:
                    contents.pop(name, None)
                    held = sum(len(file.content) for file in contents.values())
                    content = self._content(archive, member, held)
                    contents[name] = StoredFile(content, float(member.mtime))
            self._check_end(reader)
            # Padding follows the archive's end, then gzip's checksum and length.
            while reader.read(_CHUNK_BYTES):
                self._check_size(reader.tell(), unpacked_max)
        return StorageFiles(f"{self._file}:{_STORAGE.rstrip('/')}", contents, frozenset(names))

    def _bounded(self, archive: tarfile.TarFile, bytes_max: int) -> Iterator[tarfile.TarInfo]:
        for count, member in enumerate(archive):
            if member.size < 0:
                # tarfile would go back and read the same members again, endlessly.
                raise SourceInvalid(
                    f"{self._file} is damaged: it holds a file with a negative size.", _REMEDY
                )
            if count >= MEMBERS_MAX or member.offset_data + member.size > bytes_max:
                raise SourceInvalid(
                    f"{self._file} holds more than {MEMBERS_MAX} files or unpacks to more than {bytes_max} bytes.",
                    _REMEDY,
                )
            yield member

    def _check_end(self, reader: BoundedReader) -> None:
        """Refuse an archive that was read to its end and does not end in an empty block."""
        if reader.last_read != bytes(_BLOCK_BYTES):
            # tarfile mistakes a broken header for the end; a registry after it would look as if it was never saved.
            raise SourceInvalid(f"{self._file} is damaged: it is cut off.", "Make another backup.")

    def _check_size(self, found: int, bytes_max: int) -> None:
        if found > bytes_max:
            raise SourceInvalid(f"{self._file} unpacks to more than {bytes_max} bytes.", _REMEDY)

    def _content(self, archive: tarfile.TarFile, member: tarfile.TarInfo, held_bytes: int = 0) -> bytes:
        if held_bytes + member.size > FILE_BYTES_MAX:
            raise SourceInvalid(
                f"{member.name!r} in {self._file} has {member.size} bytes; of all registries together at most "
                f"{FILE_BYTES_MAX} are read.",
                "No registry is that large: make another backup.",
            )
        opened = archive.extractfile(member)
        assert opened is not None  # a regular file has content
        content = bytearray()
        while chunk := opened.read(_CHUNK_BYTES):
            content += chunk
        if len(content) != member.size:
            raise SourceInvalid(
                f"{self._file} is damaged: {member.name!r} has {len(content)} bytes of {member.size}.",
                "Make another backup.",
            )
        return bytes(content)

    def _taken_at(self, info: BackupInfo, read_at: float, written_at: float) -> tuple[float, str | None]:
        """The time of the home in it, and why that is not its date.

        Without a date that is when its file was written, which is the same for the next process, unless that is no past time.
        """
        shift = self._calendar().shift
        fault = "has no date"
        if info.made_at is not None:
            if info.made_at - shift <= read_at + _CLOCKS_DIFFER_SECONDS:
                return info.made_at - shift, None
            fault = f"is dated {rfc3339(info.made_at)}, in the future"
        at, what = min((written_at, "its file was written"), (read_at, "it was read"))
        return at, f"{self._file} {fault}: it counts as of {rfc3339(at + shift)}, when {what}."
