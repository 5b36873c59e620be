"""Backups: read without unpacking, and refused in one sentence when protected, broken, huge or lying."""

import gzip
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
import securetar

from engine.core.home.snapshot import Snapshot
from engine.core.records.record_json import encode_record
from engine.errors import SourceInvalid, SourceRefused, SourceUnavailable
from engine.sources.files import backup, regular_files
from engine.sources.files.backup import BackupSource
from tests.examples import first_quick
from tests.sources.recorded_homes import DATA, clock, inner_archive, quiet, write_backup, write_outer

STORAGE = DATA / "2026.11.0" / "storage"
pytestmark = pytest.mark.anyio


async def read(file: Path, key: str = "") -> Snapshot:
    return await BackupSource(file, key=key, clock=clock).read(quiet)


KEY = "ABCD-1234-EFGH-5678-IJKL-9012-MNOP"


def encrypted(inner: bytes, version: int) -> bytes:
    """The archive as Home Assistant encrypts it; the oldest format has no header but the vector."""
    context = securetar.SecureTarRootKeyContext(KEY)
    stream = securetar.SecureTarEncryptStream(
        io.BytesIO(inner),
        create_version=max(version, 2),
        derived_key_id=None,
        plaintext_size=len(inner),
        root_key_context=context,
    )
    with stream as opened:
        parts = []
        while part := opened.read(65_536):
            parts.append(part)
    return b"".join(parts)[32 if version == 1 else 0 :]


def packed(**members: bytes) -> bytes:
    """A gzipped tar with members by name; a double underscore stands for a slash."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


async def test_a_backup_is_read_as_of_its_date_and_version(tmp_path: Path) -> None:
    snapshot = await read(write_backup(tmp_path / "b.tar", STORAGE))

    assert snapshot.reading.taken_at == 1795434000.5
    assert snapshot.reading.health.ha_version == "2026.11.0"
    assert len(snapshot.home.records) == 205


async def test_a_backup_without_a_date_is_of_now(tmp_path: Path) -> None:
    assert (
        await read(write_backup(tmp_path / "b.tar", STORAGE, info={"date": None}))
    ).reading.taken_at == clock()


@pytest.mark.parametrize("how", ["declared", "by its content"])
async def test_a_protected_backup_is_refused_with_advice_for_another(how: str, tmp_path: Path) -> None:
    inner = b"SecureTar\x02" + bytes(600)
    file = write_outer(tmp_path / "b.tar", inner, info={"protected": how == "declared"})

    with pytest.raises(SourceRefused, match="encrypted") as raised:
        await read(file)
    assert "source.backup_key_file" in raised.value.hint
    assert "download the backup from Home Assistant" in raised.value.hint


@pytest.mark.parametrize("content", [b"", b"not a tar", bytes(10240), gzip.compress(b"x" * 2000, mtime=0)])
async def test_a_file_that_is_no_backup_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "b.tar"
    file.write_bytes(content)

    with pytest.raises(SourceInvalid):
        await read(file)


async def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match="nowhere"):
        await read(tmp_path / "nowhere.tar")
    with pytest.raises(SourceInvalid, match="cannot be read"):
        await read(tmp_path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
async def test_a_truncated_backup_is_refused(part: float, tmp_path: Path) -> None:
    whole = write_backup(tmp_path / "b.tar", STORAGE).read_bytes()
    inner_end = len(whole.rstrip(b"\0"))
    file = tmp_path / "cut.tar"
    file.write_bytes(whole[: int(inner_end * part)])

    with pytest.raises(SourceInvalid, match=r"cut off") as refused:
        await read(file)
    assert "unpacks to" not in refused.value.message


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
async def test_a_truncated_inner_archive_is_refused(part: float, tmp_path: Path) -> None:
    whole = write_backup(tmp_path / "b.tar", STORAGE)
    with tarfile.open(whole) as outer:
        opened = outer.extractfile("./homeassistant.tar.gz")
        assert opened is not None
        plain = gzip.decompress(opened.read())
    content = plain.rstrip(b"\0")
    broken = gzip.compress(content[: int(len(content) * part)])

    with pytest.raises(SourceInvalid):
        await read(write_outer(tmp_path / "cut.tar", broken))


async def test_a_broken_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    whole = write_backup(tmp_path / "b.tar", STORAGE, compressed=False)
    content = bytearray(whole.read_bytes())
    header = content.index(b"data/.storage/core.label_registry")
    content[header + 20 : header + 24] = b"ZZZZ"
    (tmp_path / "broken.tar").write_bytes(content)

    with pytest.raises(SourceInvalid, match="cut off"):
        await read(tmp_path / "broken.tar")


@pytest.mark.parametrize("from_end", [8, 5, 4, 1])
async def test_a_checksum_or_length_that_is_wrong_is_damage(tmp_path: Path, from_end: int) -> None:
    inner = bytearray(inner_of(write_backup(tmp_path / "b.tar", STORAGE)))
    inner[-from_end] ^= 1

    with pytest.raises(SourceInvalid, match="damaged"):
        await read(write_outer(tmp_path / "flipped.tar", bytes(inner)))


async def test_every_flipped_bit_of_the_packed_registries_is_damage(tmp_path: Path) -> None:
    inner = inner_of(write_backup(tmp_path / "b.tar", STORAGE))
    for position in range(20, len(inner), len(inner) // 20):
        flipped = bytearray(inner)
        flipped[position] ^= 16
        with pytest.raises(SourceInvalid):
            await read(write_outer(tmp_path / "flipped.tar", bytes(flipped)))


def inner_of(backup_file: Path) -> bytes:
    with tarfile.open(backup_file) as outer:
        opened = outer.extractfile("./homeassistant.tar.gz")
        assert opened is not None
        return opened.read()


async def test_a_damaged_outer_archive_is_no_partial_backup(tmp_path: Path) -> None:
    content = bytearray(write_backup(tmp_path / "b.tar", STORAGE).read_bytes())
    at = content.index(b"./homeassistant.tar.gz")
    content[at + 120] ^= 1
    (tmp_path / "broken.tar").write_bytes(content)

    with pytest.raises(SourceInvalid, match="cut off"):
        await read(tmp_path / "broken.tar")


@pytest.mark.parametrize(
    ("info", "version"),
    [
        ({"homeassistant": "2024.3.3"}, "2024.3.3"),
        ({"homeassistant": {"version": 3}, "date": 7, "protected": None}, None),
        ({"homeassistant": [], "date": "0001-01-01T00:00:00+14:00"}, None),
        ({"homeassistant": None, "date": "9999-12-31T23:59:59-12:00"}, None),
        ({"homeassistant": {}, "date": "1970-01-01T00:00:10+00:00"}, None),
    ],
)
async def test_odd_metadata_does_not_make_a_backup_invalid(
    tmp_path: Path, info: dict[str, Any], version: str | None
) -> None:
    snapshot = await read(write_backup(tmp_path / "b.tar", STORAGE, info=info))
    assert snapshot.reading.health.ha_version == version
    assert snapshot.reading.taken_at in (clock(), 1795434000.5)
    assert len(snapshot.home.records) == 205


async def test_a_registry_that_a_backup_lacks_was_not_read(tmp_path: Path) -> None:
    members = {"data__.storage__core.device_registry": (STORAGE / "core.device_registry").read_bytes()}
    snapshot = await read(write_outer(tmp_path / "b.tar", packed(**members)))
    assert snapshot.reading.registries == {"device"}
    assert "core.label_registry is missing in" in snapshot.reading.unread.registries["label"]


async def test_a_backup_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match=r"without Home Assistant's settings"):
        await read(write_outer(tmp_path / "b.tar", b"", name="ssl.tar.gz"))
    with pytest.raises(SourceInvalid, match=r"not a \.storage folder"):
        await read(write_outer(tmp_path / "c.tar", packed(data__configuration=b"x")))


def names_below(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


async def test_names_that_lead_elsewhere_are_ignored(tmp_path: Path) -> None:
    devices = (STORAGE / "core.device_registry").read_bytes()
    evil = json.dumps({"version": 1, "data": {"areas": [{"id": "evil", "name": "Evil"}]}}).encode()
    members: dict[str, Any] = {
        "data__.storage__core.device_registry": devices,
        "data__.storage__..__.storage__core.area_registry": evil,
        "..__.storage__core.area_registry": evil,
    }

    snapshot = await read(write_outer(tmp_path / "b.tar", packed(**members)))

    assert {key.registry for key in snapshot.home.records} == {"device"}
    assert names_below(tmp_path) == {"b.tar"}


async def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_backup(tmp_path / "b.tar", STORAGE)
    monkeypatch.setattr(backup, "FILE_BYTES_MAX", 10_000)
    with pytest.raises(SourceInvalid, match="at most 10000"):
        await read(file)
    monkeypatch.setattr(backup, "FILE_BYTES_MAX", regular_files.FILE_BYTES_MAX)

    monkeypatch.setattr(backup, "INNER_BYTES_MAX", 50_000)
    with pytest.raises(SourceInvalid, match="50000"):
        await read(file)
    monkeypatch.setattr(backup, "INNER_BYTES_MAX", 2**40)

    monkeypatch.setattr(backup, "MEMBERS_MAX", 3)
    with pytest.raises(SourceInvalid, match="more than 3 files"):
        await read(file)


async def test_a_header_that_claims_gigabytes_is_not_believed(tmp_path: Path) -> None:
    header = tarfile.TarInfo("PaxHeader")
    header.type = tarfile.XHDTYPE
    header.size = 2**32
    bomb = gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(10240))

    # From 3.14 on, tarfile itself refuses it.
    with pytest.raises(SourceInvalid, match=r"4294967296|empty header"):
        await read(write_outer(tmp_path / "b.tar", bomb))


async def test_secrets_of_config_entries_are_nowhere(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    storage.mkdir()
    for path in STORAGE.iterdir():
        (storage / path.name).write_bytes(path.read_bytes())
    entries = storage / "core.config_entries"
    entries.write_text(entries.read_text(encoding="utf-8").replace('"data":{}', '"data":{"p":"hunter2"}'))
    assert "hunter2" in entries.read_text(encoding="utf-8")

    snapshot = await read(write_backup(tmp_path / "b.tar", storage))

    assert not [k for k, record in snapshot.home.records.items() if b"hunter2" in encode_record(record)]


def header(size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A member's header that claims any size, with a checksum that fits."""
    member = tarfile.TarInfo("data/x")
    member.type = kind
    block = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)  # type: ignore[attr-defined]  # not in its stubs
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize("size", [-512, -1024, -(2**40)])
async def test_members_of_negative_size_do_not_lead_in_circles(tmp_path: Path, size: int) -> None:
    # Python before 3.11.14 reads such an archive forever (CVE-2025-8194).
    inner = packed(**{"data__.storage__core.device_registry": b"{}"})
    archive = gzip.decompress(inner)[:1024] + header(size) * 2 + bytes(10_240)
    with pytest.raises(SourceInvalid, match="damaged"):
        await read(write_outer(tmp_path / "inner.tar", gzip.compress(archive)))
    (tmp_path / "outer.tar").write_bytes(header(size) * 2 + bytes(10_240))
    with pytest.raises(SourceInvalid, match="damaged"):
        await read(tmp_path / "outer.tar")


async def test_headers_that_chain_or_lie_are_damage(tmp_path: Path) -> None:
    long_number = b"9" * 5000 + b" path=x\n"
    for name, start in (
        ("chain", header(0, tarfile.XHDTYPE) * 3000),
        ("number", header(len(long_number), tarfile.XHDTYPE) + long_number + bytes(-len(long_number) % 512)),
    ):
        with pytest.raises(SourceInvalid, match="damaged"):
            await read(write_outer(tmp_path / name, gzip.compress(start + bytes(10_240))))


@pytest.mark.slow
async def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "_UNPACKED_ALWAYS_BYTES", 2**20)
    bomb = gzip.compress(header(64 * 2**20) + bytes(64 * 2**20))
    with pytest.raises(SourceInvalid, match="unpacks to more than"):
        await read(write_outer(tmp_path / "bomb", bomb))


async def test_a_pipe_is_no_backup(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceUnavailable, match="not a plain file"):
        await read(tmp_path / "pipe")


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("compressed", first_quick([True, False]))
async def test_an_encrypted_backup_is_read_with_its_key(
    tmp_path: Path, version: int, compressed: bool
) -> None:
    whole = await read(write_backup(tmp_path / "plain.tar", STORAGE))
    inner = encrypted(inner_archive(STORAGE, compressed=compressed), version)
    name = "homeassistant.tar.gz" if compressed else "homeassistant.tar"
    file = write_outer(tmp_path / "b.tar", inner, info={"protected": True}, name=name)

    snapshot = await read(file, KEY)

    assert snapshot.home.hashes == whole.home.hashes
    assert snapshot.reading.registries == whole.reading.registries


@pytest.mark.parametrize("version", [1, 2, 3])
async def test_another_key_is_one_clear_sentence(tmp_path: Path, version: int) -> None:
    inner = encrypted(inner_archive(STORAGE), version)
    file = write_outer(tmp_path / "b.tar", inner, info={"protected": True})

    with pytest.raises(
        SourceRefused, match=r"^The key in source\.backup_key_file does not open .*b\.tar\."
    ) as reported:
        await read(file, "WRONG-KEY")
    assert "WRONG-KEY" not in str(reported.value)


@pytest.mark.parametrize("version", first_quick([1, 2, 3]))
@pytest.mark.parametrize("part", [0.0, 0.001, 0.01, 0.5, 0.99])
async def test_an_encrypted_backup_that_is_cut_off_or_altered_is_damage(
    tmp_path: Path, version: int, part: float
) -> None:
    inner = encrypted(inner_archive(STORAGE), version)
    altered = bytearray(inner)
    altered[200 + int((len(inner) - 201) * part)] ^= 1
    for broken in (inner[: int(len(inner) * part)], bytes(altered)):
        with pytest.raises((SourceInvalid, SourceRefused)):
            await read(write_outer(tmp_path / "b.tar", broken, info={"protected": True}), KEY)


async def test_a_newer_format_is_refused_with_advice_to_update(tmp_path: Path) -> None:
    file = write_outer(tmp_path / "b.tar", b"SecureTar\x09" + bytes(600), info={"protected": True})
    with pytest.raises(SourceInvalid, match="does not know"):
        await read(file, KEY)


async def test_a_key_is_no_hindrance_to_a_plain_backup(tmp_path: Path) -> None:
    # As Home Assistant hands it out: decrypted on the way, and what it says of itself left as it was.
    file = write_backup(tmp_path / "b.tar", STORAGE, info={"protected": True})
    assert len((await read(file, KEY)).home.records) == 205
    assert len((await read(file)).home.records) == 205
