"""What `backup.json` says, in the forms that were seen and in those that say nothing."""

import msgspec
import pytest

from engine.sources.files.backup_info import INFO_DECODER, BackupInfo


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
