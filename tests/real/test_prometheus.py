"""The metrics as Prometheus' own tool judges them, taken from a running service."""

import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.availability import skip_or_fail
from tests.real.prometheus import PrometheusMissingError, find_tool
from tests.service_process import Service, poll

pytestmark = pytest.mark.real_server


@pytest.fixture
def promtool() -> str:
    try:
        return find_tool("promtool")
    except PrometheusMissingError as missing:
        skip_or_fail(str(missing))


def test_promtool_has_nothing_to_say_about_the_metrics(promtool: str, tmp_path: Path) -> None:
    service = Service(tmp_path)
    try:
        address = service.wait_until_serving()
        poll(address, "/api/status", "in_sync")
        with urllib.request.urlopen(f"{address}/metrics", timeout=60) as answer:
            exposition = answer.read()
        service.stop()
    finally:
        service.process.kill()
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=exposition, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    names = {
        line.split(b"{")[0].split()[0] for line in exposition.splitlines() if line.startswith(b"reconcile_")
    }
    assert {
        b"reconcile_synced_timestamp_seconds",
        b"reconcile_drift_records",
        b"reconcile_source_connected",
    } <= names
