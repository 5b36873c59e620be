"""The common base of the replicas that are SQLite files."""

from collections.abc import Hashable
from pathlib import Path

from engine.ports import Replica
from engine.replicas.sqlite_file.database import ApswFile


class FileReplica(Replica):
    """The part of a `Replica` that concerns its file alone."""

    needs_tidying = True
    _file: ApswFile

    @property
    def path(self) -> Path:
        """The file, which may not exist yet."""
        return self._file.path

    @property
    def held_log_bytes(self) -> int:
        """The bytes of SQLite's log that could not be moved into the file last time, because others read them."""
        return self._file.held_log_bytes

    def file_signature(self) -> Hashable | None:
        """The signature that any write changes; None when only the data version shows it."""
        return self._file.file_signature()

    def is_overtaken(self, data_version: int | None) -> bool:
        """Whether the files were replaced, truncated or changed without SQLite since this data version. Never waits."""
        return data_version is not None and self._file.is_overtaken(data_version)

    def forget_pages(self) -> None:
        """Free SQLite's page cache of the file; pages are read again from the system's cache. Raises ReplicaError."""
        self._file.forget_pages()

    def close(self) -> None:
        """Release the file. May be called twice."""
        self._file.close()
