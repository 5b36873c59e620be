"""The metrics file of a pass from cron."""

import errno
import os
from pathlib import Path

import pytest

from tests.commandline.homes import Home
from tests.commandline.in_process import Reconcile


def series(text: str) -> dict[str, float]:
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_a_pass_writes_the_same_metrics_as_the_service(mirror: Reconcile, tmp_path: Path) -> None:
    assert mirror("--metrics-file", "reconcile.prom").code == 0
    reported = series((tmp_path / "reconcile.prom").read_text())
    assert reported['reconcile_runs_total{replica="sqlite",result="success"}'] == 1
    assert (
        reported['reconcile_changes_applied_total{action="upsert",registry="device",replica="sqlite"}'] == 72
    )
    assert reported['reconcile_synced_timestamp_seconds{replica="history"}'] > 1.7e9
    assert reported["reconcile_source_connected"] == 1
    assert [p.name for p in tmp_path.iterdir() if "prom" in p.name] == ["reconcile.prom"]


def test_a_failed_pass_leaves_no_watermark(mirror: Reconcile, home: Home, tmp_path: Path) -> None:
    mirror("--metrics-file", "reconcile.prom")
    (home.folder / "device_registry_list.json").unlink()
    assert mirror("--metrics-file", "reconcile.prom").code == 1
    reported = series((tmp_path / "reconcile.prom").read_text())
    assert reported["reconcile_source_connected"] == 0
    assert not [name for name in reported if name.startswith("reconcile_synced_timestamp")]
    assert reported['reconcile_replica_up{replica="sqlite"}'] == 0


def test_a_file_that_cannot_be_written_is_named(mirror: Reconcile) -> None:
    answer = mirror("--metrics-file", "nowhere/reconcile.prom")
    assert answer.code == 1
    assert "--metrics-file" in answer.err


def test_a_full_disk_is_named_and_the_older_file_stays(
    mirror: Reconcile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror("--metrics-file", "reconcile.prom")
    before = (tmp_path / "reconcile.prom").read_bytes()

    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    code, _, reported = mirror("--metrics-file", "reconcile.prom")
    assert code == 1
    assert "Cannot write the metrics file reconcile.prom: the disk is full." in reported
    assert "Make room" in reported
    assert (tmp_path / "reconcile.prom").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if "prom" in path.name] == ["reconcile.prom"]
