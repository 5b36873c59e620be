"""The influxd 1.8 of the tests: its origin, and the message if it is unavailable."""

from pathlib import Path

import pytest

from tests.real import influxd
from tests.real.influxd import PLACE_VARIABLE, InfluxdMissingError, build, find_built
from tests.real.influxdb import influxdb_or_skip


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which nothing was built or named."""
    monkeypatch.delenv(PLACE_VARIABLE, raising=False)
    monkeypatch.setattr(influxd, "PLACE", tmp_path / "influxd-1.8")


def test_the_one_that_is_named_comes_before_the_one_that_was_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in ("influxd-1.8", "named"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "influxd").touch()
    assert build() == tmp_path / "influxd-1.8" / "influxd"
    monkeypatch.setenv(PLACE_VARIABLE, str(tmp_path / "named" / "influxd"))
    assert find_built() == tmp_path / "named" / "influxd"


def test_without_go_that_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influxd, "_go", lambda: None)
    for attempt in (find_built, build):
        with pytest.raises(InfluxdMissingError, match="no Go to build it with"):
            attempt()


def test_with_go_the_command_that_builds_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influxd, "_go", lambda: "/usr/bin/go")
    with pytest.raises(InfluxdMissingError, match=r"run `python -m tests\.real\.influxd`"):
        find_built()


def test_it_is_a_skip_with_the_reason_and_in_ci_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(influxd, "_go", lambda: None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Go"), influxdb_or_skip(tmp_path, version="1.8"):
        pass
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no Go"), influxdb_or_skip(tmp_path, version="1.8"):
        pass
