"""Plan files: whole or not there, and refused when they are not for this home."""

from pathlib import Path

import pytest

from engine.commandline import saved_plan
from engine.commandline.saved_plan import read_fingerprints, write_plan
from engine.core.times import encode_document
from engine.errors import EngineError
from tests.commandline.reports import added, read_report, replica, report

GOOD = report(added("Plug"))


def test_a_saved_plan_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(path, GOOD)
    assert read_fingerprints(path, "home") == {"sqlite": "f", "history": "f"}
    assert read_report(path.read_bytes()) == GOOD
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_older_plan_is_replaced_or_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("old")
    path.chmod(0o644)
    write_plan(path, GOOD)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (tmp_path / "nowhere" / "plan.json", folder):
        with pytest.raises(EngineError, match="could not be written to"):
            write_plan(path, GOOD)
    assert [p.name for p in tmp_path.rglob("*")] == ["folder"]


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        (b"", "is not a saved plan"),
        (b"\xff\xfe", "is not a saved plan"),
        (b"[]", "is not a saved plan"),
        (b'{"schema_version": "1"}', "is not a saved plan"),
        (b'{"schema_version": 1}', "is not a saved plan"),
        (b'{"schema_version": 1, "new": ' + b"[" * 10_000, "is not a saved plan"),
        (b'{"schema_version": 1, "mode": "dry_run", "site": "\xff", "replicas": []}', "is not a saved plan"),
        (b'{"schema_version": 2}', "has schema_version 2; this program reads 1"),
        (encode_document(report(mode="apply")), "is the report of a pass that wrote"),
        (encode_document(report(site="cabin")), "is for the site cabin, not for home"),
        (encode_document(report(replicas=(replica(fingerprint=None),))), "is incomplete: sqlite"),
        (encode_document(report(replicas=())), "is incomplete: no replica"),
    ],
)
def test_a_file_that_is_no_plan_for_this_home_is_refused(
    tmp_path: Path, content: bytes, reported: str
) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(EngineError, match=reported):
        read_fingerprints(path, "home")


def test_a_plan_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_plan, "_PLAN_BYTES_MAX", 10_000)
    with pytest.raises(EngineError, match="/dev/zero cannot be read: it is larger than 10000 bytes"):
        read_fingerprints(Path("/dev/zero"), "home")


def test_a_plan_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read: No such file"):
        read_fingerprints(tmp_path / "plan.json", "home")
