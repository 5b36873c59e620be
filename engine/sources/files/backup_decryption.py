"""Decrypts the archive in an encrypted backup with its key.

The formats (SecureTar v1 to v3) are those of the library that Home Assistant itself uses. Importing this module loads
that library, so import it only for an encrypted backup. Decrypts while reading; nothing is written to disk.
"""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from nacl.exceptions import CryptoError
from securetar import (
    InvalidPasswordError,
    SecureTarDecryptStream,
    SecureTarError,
    SecureTarReadError,
    SecureTarRootKeyContext,
)

from engine.errors import SourceInvalid, SourceRefused

if TYPE_CHECKING:
    from securetar import DecryptReader

_CHUNK_BYTES = 2**20  # one chunk of the newest format


@contextmanager
def decrypted(archive: IO[bytes], size: int, key: str, name: str) -> Iterator[io.BufferedReader]:
    """The content of an encrypted archive of `size` bytes; it can be read once, from beginning to end.

    `name` is the backup's, for errors. Raises SourceRefused when the key is wrong, SourceInvalid when it is damaged;
    so does reading.
    """
    stream = SecureTarDecryptStream(
        archive, ciphertext_size=size, root_key_context=SecureTarRootKeyContext(key)
    )
    with _explained(name):
        opened = stream.__enter__()
    try:
        yield io.BufferedReader(_Decrypted(opened, name), _CHUNK_BYTES)
    finally:
        stream.__exit__(None, None, None)


class _Decrypted(io.RawIOBase):
    """A decrypting reader as a file object."""

    def __init__(self, opened: "DecryptReader", name: str) -> None:
        super().__init__()
        self._opened = opened
        self._name = name
        self._is_first = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # any buffer, in its stubs
        with _explained(self._name, is_first=self._is_first):
            data = self._opened.read(len(buffer))
        self._is_first = False
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def _explained(name: str, *, is_first: bool = True) -> Iterator[None]:
    try:
        yield
    except (InvalidPasswordError, SecureTarReadError, CryptoError) as error:
        # The older formats have no check of the key: with a wrong one the first bytes are not an archive.
        if isinstance(error, InvalidPasswordError) or (is_first and isinstance(error, SecureTarReadError)):
            raise SourceRefused(
                f"The key in source.backup_key_file does not open {name}.",
                "Use the key that Home Assistant had when it made this backup: it is in the emergency kit of that time.",
            ) from None  # the library's message about keys must not be shown
        raise SourceInvalid(
            f"{name} is damaged: it cannot be decrypted completely.", "Make another backup."
        ) from error
    except (SecureTarError, ValueError, struct.error) as error:
        raise SourceInvalid(
            f"{name} is encrypted in a format that this program does not know, or damaged: {error}.",
            "Update this program, or download the backup from Home Assistant, which decrypts it.",
        ) from error
