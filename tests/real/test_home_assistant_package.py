"""ops/home-assistant/package.yaml in a real Home Assistant: its sensors show what the API of a real service said."""

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.real.admin_client import request
from tests.real.home_assistant import HomeAssistant
from tests.service_process import Service, poll, wait_until

pytestmark = pytest.mark.real_server

PACKAGE = (Path(__file__).parents[2] / "ops" / "home-assistant" / "package.yaml").read_text(encoding="utf-8")
# What a user may have to change, and what a test cannot wait for.
RESOURCE, EVERY, AFTER = "http://127.0.0.1:8099/api/status", "scan_interval: 30", "minutes: 30"
HEADERS = "    # headers:\n    #   Authorization: !secret reconcile_authorization\n"
TOKEN = "for-the-sensors"
SENSORS = ("sensor.reconcile_status", "sensor.reconcile_lag", "sensor.reconcile_drift")


class Witness:
    """Between Home Assistant and the service: passes requests on, and keeps what the service answered."""

    def __init__(self) -> None:
        self.upstream = ""
        self.answers: list[dict[str, Any]] = []
        witness = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = urllib.request.Request(f"{witness.upstream}{self.path}")
                asked.add_header("Authorization", self.headers["Authorization"])
                with urllib.request.urlopen(asked, timeout=30) as answer:
                    body = answer.read()
                witness.answers.append(json.loads(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def watching() -> Iterator[Witness]:
    witness = Witness()
    thread = threading.Thread(target=witness.server.serve_forever)
    thread.start()
    try:
        yield witness
    finally:
        witness.server.shutdown()
        thread.join()
        witness.server.server_close()


@pytest.fixture
def core(home_assistant_python: Path, tmp_path: Path) -> Iterator[HomeAssistant]:
    """A core of the test's own, not started."""
    made = HomeAssistant(home_assistant_python, tmp_path / "home_assistant")
    yield made
    made.kill()


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts a service with stores in a folder of this name; returns its address."""
    started: list[Service] = []

    def start(name: str, *argv: str) -> str:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "token").write_text(TOKEN)
        started.append(Service(folder, *argv, RECONCILE_HTTP__TOKEN_FILE=str(folder / "token")))
        return started[-1].wait_until_serving()

    yield start
    for service in started:
        service.process.kill()
        service.process.communicate()


def shown(core: HomeAssistant) -> dict[str, str]:
    states = request("GET", f"{core.url}/api/states", token=core.token)
    return {state["entity_id"]: state["state"] for state in states if state["entity_id"] in SENSORS}


def expected(answer: dict[str, Any]) -> dict[str, str]:
    """The states that go with one answer of the API."""
    lags = [replica["lag_seconds"] for replica in answer["replicas"]]
    differing = answer["differing"]
    return {
        SENSORS[0]: answer["status"],
        SENSORS[1]: "unavailable" if None in lags else str(max(lags)),
        SENSORS[2]: "unavailable" if differing is None else str(differing),
    }


def reported(core: HomeAssistant) -> list[dict[str, Any]]:
    """The automation's notifications; Home Assistant makes others of its own."""
    notifications = core.command("persistent_notification/get")
    return [n for n in notifications if n["notification_id"] == "reconcile"]


def test_home_assistant_takes_the_package(core: HomeAssistant) -> None:
    core.add_package("reconcile", PACKAGE)
    checked = core.check_configuration()
    assert (checked.returncode, checked.stderr) == (0, "")
    for bad in ("Failed config", "Incorrect config", "Invalid config"):
        assert bad not in checked.stdout, checked.stdout

    core.add_package("reconcile", PACKAGE.replace("value_template:", "value:"))
    said = core.check_configuration().stdout
    assert "Invalid config for 'rest'" in said, said


def test_the_sensors_match_the_api_and_the_automation_notifies(
    core: HomeAssistant, start_service: Callable[..., str], tmp_path: Path
) -> None:
    with watching() as witness:
        # Both are there before Home Assistant asks: what is out of sync must not stay so until it is reported.
        observing, keeping = start_service("observing", "--observe"), start_service("keeping")
        poll(observing, "/api/status", "out_of_sync", TOKEN)
        poll(keeping, "/api/status", "in_sync", TOKEN)
        witness.upstream = observing
        text = PACKAGE
        here = (f"{witness.address}/api/status", "scan_interval: 1", "seconds: 20", HEADERS.replace("# ", ""))
        for shipped, other in zip((RESOURCE, EVERY, AFTER, HEADERS), here, strict=True):
            assert text.count(shipped) == 1
            text = text.replace(shipped, other)
        core.add_package("reconcile", text)
        (core.config_dir / "secrets.yaml").write_text(f"reconcile_authorization: Bearer {TOKEN}\n")
        core.start()

        def is_shown() -> bool:
            found = shown(core)
            return found in [expected(answer) for answer in witness.answers]

        # What was never in sync has no lag, which is not a lag of 0.
        wait_until(lambda: shown(core).get(SENSORS[0]) == "out_of_sync", "out of sync")
        wait_until(is_shown, "the three sensors show one answer")
        assert shown(core)[SENSORS[1]] == "unavailable"

        witness.upstream = keeping
        wait_until(lambda: shown(core)[SENSORS[0]] == "in_sync", "in sync")
        wait_until(is_shown, "the three sensors show one answer")
        assert reported(core) == []

        with closing(apsw.Connection(str(tmp_path / "keeping" / "rows.db"))) as other_program:
            other_program.set_busy_timeout(60_000)
            other_program.execute("INSERT INTO devices (device_id, name) VALUES ('mocked', 'Sun')")
        wait_until(lambda: shown(core)[SENSORS[2]] == "1", "one record differs")
        wait_until(is_shown, "the three sensors show one answer")
        wait_until(lambda: reported(core) != [], "it reports")
        (notification,) = reported(core)
        assert notification["title"] == "Reconcile: out_of_sync"
        assert "sqlite: out_of_sync, records that differ: 1." in notification["message"]
        assert "history" not in notification["message"]
        core.stop()
    assert "emplate" not in core.log_text()  # no template failed
