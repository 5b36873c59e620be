"""What `backup.json` says, in the forms that were seen and in those that say nothing."""

import os
from pathlib import Path

import msgspec
import pytest

from engine.core.guards.look import Calendar
from engine.sources.files.backup import BackupSource
from engine.sources.files.backup_info import INFO_DECODER, BackupInfo
from tests.sources.recorded_homes import DATA, clock, quiet, write_backup

STORAGE = DATA / "2026.11.0" / "storage"
DOUBTFUL = [None, "2026-11-23T11:40:02+00:00", "2027-01-01T00:00:00+00:00"]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (b'{"homeassistant": "2024.3.3"}', "2024.3.3"),
        (b'{"homeassistant": {"version": "2026.11.0"}}', "2026.11.0"),
        (b'{"homeassistant": {"version": 7}}', None),
        (b'{"homeassistant": ["2024.3.3"]}', None),
        (b"{}", None),
    ],
)
def test_the_version_stands_in_two_forms(text: bytes, version: str | None) -> None:
    assert INFO_DECODER.decode(text).ha_version == version


@pytest.mark.parametrize(
    ("date", "made_at"),
    [
        ("2026-11-23T12:00:00+00:00", 1_795_435_200.0),
        ("2017-01-01T00:00:00+00:00", 1_483_228_800.0),
        ("2016-12-31T23:59:59+00:00", None),
        ("9999-12-31T00:00:00+00:00", None),
        ("0001-01-01T00:00:00+00:00", None),
        ("yesterday", None),
        (1_795_435_200, None),
        (None, None),
    ],
)
def test_a_date_that_can_be_is_believed(date: object, made_at: float | None) -> None:
    assert msgspec.convert({"date": date}, BackupInfo).made_at == made_at


@pytest.mark.parametrize("date", DOUBTFUL)
@pytest.mark.anyio
async def test_a_date_that_cannot_be_believed_is_named_and_another_process_finds_the_same_time(
    date: str | None, tmp_path: Path
) -> None:
    """A second run over the same backup confirmed its deletes."""
    file = write_backup(tmp_path / "b.tar", STORAGE, info={"date": date})
    os.utime(file, (clock() - 500, clock() - 500))
    for later in (0.0, 0.5):
        reading = (await BackupSource(file, clock=lambda: clock() + later).read(quiet)).reading  # noqa: B023
        assert reading.taken_at == clock() - 500
        assert "it counts as of 2026-11-23T11:31:40.000Z, when its file was written." in str(reading.note)


@pytest.mark.parametrize("date", DOUBTFUL)
@pytest.mark.anyio
async def test_a_backup_that_was_not_written_in_the_past_counts_as_of_its_first_read(
    date: str | None, tmp_path: Path
) -> None:
    file = write_backup(tmp_path / "b.tar", STORAGE, info={"date": date})
    os.utime(file, (clock() + 500, clock() + 500))
    times = iter([clock(), clock() + 100])
    source = BackupSource(file, clock=lambda: next(times))

    first, again = await source.read(quiet), await source.read(quiet)

    assert first.reading.taken_at == again.reading.taken_at == clock()
    assert first.reading.is_frozen
    assert "it counts as of 2026-11-23T11:40:00.000Z, when it was read." in str(first.reading.note)
    assert again.reading == first.reading
    assert source.learned() is None


@pytest.mark.anyio
async def test_a_date_is_by_the_wall_clock_as_it_is_set_now(tmp_path: Path) -> None:
    """The clock of a machine that starts in 1970 would call every date one in the future."""
    file = write_backup(tmp_path / "b.tar", STORAGE)
    source = BackupSource(file, clock=lambda: 100.0, calendar=lambda: Calendar(shift=clock()))

    reading = (await source.read(quiet)).reading

    assert (reading.taken_at, reading.note) == (0.5, None)
