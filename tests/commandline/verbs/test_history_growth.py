"""What doctor says of the history's size."""

import pytest

from engine.commandline.verbs.history_growth import judge
from engine.core.state.kept_past import Growth
from engine.settings.records import HistorySettings
from tests.commandline.homes import Home
from tests.commandline.in_process import Reconcile
from tests.homes import NOON

MIB = 1024 * 1024
CALM = Growth(bytes_per_second=MIB / 86_400)


def test_size_growth_and_retention_are_reported() -> None:
    reported = judge(3 * MIB, 10_000 * MIB, CALM, HistorySettings())
    assert reported.is_well
    assert reported.message == "3.0 MiB, about 365.0 MiB more a year; kept forever"
    forgetful = Growth(bytes_per_second=1.0, known_from=NOON, forgotten_by_age=1_000, forgotten_by_thinning=5)
    assert judge(0, MIB, forgetful, HistorySettings(keep_days=30, thin_seconds=60)).message.endswith(
        "30 days are kept, one version per record and 60 s, known from 2026-11-23T12:00:00.000Z on (1,005 versions forgotten)"
    )


def test_a_disk_that_will_be_full_and_a_doubtful_clock_are_warnings() -> None:
    full = judge(3 * MIB, 100 * MIB, CALM, HistorySettings())
    assert (full.is_well, "the disk is full in 100 days" in full.message) == (False, True)
    assert "history.keep_days" in full.hint
    assert judge(3 * MIB, 100 * MIB, CALM, HistorySettings(keep_days=30)).is_well
    doubtful = Growth(bytes_per_second=1.0, doubt="the clock jumped")
    reported = judge(3 * MIB, 10_000 * MIB, doubtful, HistorySettings(keep_days=30))
    assert (
        reported.is_well,
        reported.message.endswith("nothing is forgotten, because the clock jumped"),
    ) == (
        False,
        True,
    )


def test_doctor_shows_it(mirror: Reconcile, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror()
    home.rename_device("Renamed")
    mirror()
    assert "history: 0." in mirror("doctor").out
    monkeypatch.setenv("RECONCILE_HISTORY__KEEP_DAYS", "30")
    assert "30 days are kept" in mirror("doctor").out
