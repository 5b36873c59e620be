"""The service of a view: it starts without Kafka, reports the problem, and stops on request."""

import json
import os
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from api.fleet.ports import Standing
from engine.errors import ReplicaDamaged
from engine.fleet_view.change_streams import ChangeStreams
from engine.fleet_view.metrics import Totals
from engine.fleet_view.serving import RunningView
from engine.fleet_view.view_file.reading import ViewReader
from tests.fleet_view.test_changes import follower_of
from tests.fleet_view.test_following import Following
from tests.fleet_view.viewed import reader_of, said_device, said_site
from tests.homes import NOON
from tests.service_process import ROOT, Service, get, wait_until

COMMAND = [sys.executable, "-m", "engine", "fleet", "view"]


@pytest.mark.anyio
async def test_what_is_read_is_counted_for_the_metrics(tmp_path: Path) -> None:
    following = Following(tmp_path / "other")
    following.steps()
    reader = reader_of(tmp_path, said_device("a", "d1"), said_site("a"))
    view = RunningView(
        following.follower, reader, lambda: NOON, ChangeStreams(lambda: follower_of(following.topics))
    )
    await view.count()
    counts = {"blocked": 0, "out_of_sync": 0, "unknown": 0, "in_sync": 1}
    assert view.totals == Totals(counts, 1, {"foreign": 0, "newer": 0, "unreadable": 0})
    assert isinstance(view.standing(), Standing)
    view.close()
    (tmp_path / "view.db").unlink()
    await view.count()
    assert view.totals.devices == 1


@pytest.mark.anyio
async def test_a_damaged_file_is_reported_to_the_code_that_can_replace_it(tmp_path: Path) -> None:
    following = Following(tmp_path)
    following.steps()
    view = RunningView(
        following.follower,
        ViewReader(tmp_path / "view.db"),
        lambda: NOON,
        ChangeStreams(lambda: follower_of(following.topics)),
    )

    def fail(_transaction: object) -> None:
        raise apsw.CorruptError("damaged")

    with pytest.raises(ReplicaDamaged):
        await view.read(fail)
    following.steps(1)
    assert "damaged" in str(view.standing().problem)
    following.steps()
    assert view.standing().problem is None
    await view.count()
    assert view.totals.devices == 0
    view.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = '[fleet]\nbrokers = "127.0.0.1:9"\nview_file = "view.db"\n[http]\nport = 0\n'
    (tmp_path / "reconcile.toml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    made = Service.started_by(COMMAND, folder, {**os.environ, "PYTHONPATH": str(ROOT)})
    yield made
    if made.process.poll() is None:
        made.stop()


def fails(folder: Path) -> str:
    """What the command prints that cannot begin."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RECONCILE_")}
    done = subprocess.run(
        COMMAND,
        check=False,
        cwd=folder,
        env={**clean, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode not in (0, -9)
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.process
@pytest.mark.slow
def test_a_view_without_kafka_begins_and_says_why_it_has_no_answer(service: Service, folder: Path) -> None:
    address = service.wait_until_serving()
    assert get(address, "/healthz") == {"status": "ok"}

    def problem(path: str) -> dict[str, object]:
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(address, path)
        assert refused.value.code == 503
        found: dict[str, object] = json.loads(refused.value.read())
        return found

    wait_until(lambda: "Kafka at 127.0.0.1:9" in str(problem("/readyz")["reason"]), "the broker is named")
    assert "Kafka at 127.0.0.1:9" in str(problem("/api/fleet/models")["detail"])
    assert "Another service keeps view.db already" in fails(folder)
    code, said = service.stop()
    assert code == 0
    assert said.count("does not follow Kafka") == 1


@pytest.mark.process
@pytest.mark.slow
def test_wrong_settings_are_reported_at_once(folder: Path) -> None:
    (folder / "reconcile.toml").write_text("[http]\nport = 0\n", encoding="utf-8")
    assert "No fleet is configured." in fails(folder)
    (folder / "reconcile.toml").write_text('[fleet]\nbrokers = "x y"\n', encoding="utf-8")
    assert "not HOST:PORT" in fails(folder)
