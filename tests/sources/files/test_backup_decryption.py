"""Opening encrypted archives; whole backups are in test_backup.py."""

import io
import subprocess
import sys

import pytest
import securetar

from engine.errors import SourceInvalid, SourceRefused
from engine.sources.files.backup_decryption import decrypted
from tests.examples import first_quick

PLAIN = b"\x1f\x8b\x08" + bytes(range(256)) * 9000  # what begins like gzip, of three pieces


def archive(version: int) -> bytes:
    stream = securetar.SecureTarEncryptStream(
        io.BytesIO(PLAIN),
        create_version=version,
        derived_key_id=None,
        plaintext_size=len(PLAIN),
        root_key_context=securetar.SecureTarRootKeyContext("a key"),
    )
    with stream as opened:
        return b"".join(iter(lambda: opened.read(65_536), b""))


@pytest.mark.parametrize("version", [2, 3])
def test_decryption_restores_the_content(version: int) -> None:
    packed = archive(version)
    with decrypted(io.BytesIO(packed), len(packed), "a key", "b.tar") as opened:
        assert opened.peek(2)[:2] == b"\x1f\x8b"
        assert opened.read() == PLAIN


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("key", first_quick(["another", "", "é\U0001f511", "a key "]))
def test_another_key_opens_nothing(version: int, key: str) -> None:
    packed = archive(version)
    with (
        pytest.raises(SourceRefused, match=r"does not open b\.tar"),
        decrypted(io.BytesIO(packed), len(packed), key, "b.tar") as opened,
    ):
        opened.read(1)


@pytest.mark.parametrize(
    "packed", [b"", b"SecureTar", b"SecureTar\x03" + bytes(30), b"SecureTar\x07" + bytes(90)]
)
def test_a_header_that_is_cut_off_or_unknown_is_named(packed: bytes) -> None:
    with (
        pytest.raises(SourceInvalid, match=r"b\.tar"),
        decrypted(io.BytesIO(packed), len(packed), "a key", "b.tar"),
    ):
        pass


def test_a_piece_that_was_altered_is_damage() -> None:
    packed = bytearray(archive(3))
    packed[-10] ^= 1
    with (
        pytest.raises(SourceInvalid, match="damaged"),
        decrypted(io.BytesIO(packed), len(packed), "a key", "b.tar") as opened,
    ):
        opened.read()


@pytest.mark.slow
def test_the_library_is_loaded_only_for_encrypted_backups() -> None:
    script = "import sys, engine.composition.run, engine.sources.files.backup; print(sorted({'securetar', 'nacl', 'cryptography'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert loaded.stdout == "[]\n"
