"""A real Home Assistant, run for a test: started, changed, broken, restarted and always ended.

It lives in a config directory the caller owns, listens on loopback only, and has the `demo` integration, the `bulk`
component of the test data and nothing that needs a network. The one place where tests sleep: another process has no
virtual time, so it is polled, with a bound, and never given a fixed time.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.exceptions import WebSocketException

from tests.real.admin_client import log_in, long_lived_token, request, send_command
from tests.real.free_port import free_port
from tests.real.home_configuration import HomeConfiguration

BULK_COMPONENT = Path(__file__).parents[1] / "data" / "bulk_component" / "custom_components"
POLL_SECONDS = 0.05
POLL_ATTEMPTS_MAX = 3600  # Three minutes; a start takes 2 s, and 6 s with 20,000 entities.
STOP_SECONDS_MAX = 60
CHECK_SECONDS_MAX = 180
LOG_LINES_SHOWN = 30


class HomeAssistantError(Exception):
    """Home Assistant did not do what was requested; the message ends with the last lines it printed."""


class HomeAssistant:
    """One home: its files, its process, and what an administrator may do to it."""

    def __init__(self, python: Path, config_dir: Path) -> None:
        """Prepare a config directory; `python` is an interpreter that has Home Assistant."""
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None
        self._read_only_token = ""
        port = free_port()
        self.config_dir = config_dir
        self.url = f"http://127.0.0.1:{port}"
        self.token = ""
        config_dir.mkdir(parents=True, exist_ok=True)
        shutil.copytree(BULK_COMPONENT, config_dir / "custom_components")
        self._configuration = HomeConfiguration(config_dir, port)
        self._configuration.write(self.version)

    @property
    def version(self) -> str:
        """The Home Assistant that it runs; empty if the interpreter has none."""
        found = self._python.parents[1].glob("lib/python3*/site-packages/homeassistant-*.dist-info")
        return next((path.stem.partition("-")[2] for path in found), "")

    @property
    def storage_dir(self) -> Path:
        """Where the registries are kept; see `flush_storage`."""
        return self.config_dir / ".storage"

    @property
    def _output_file(self) -> Path:
        return self.config_dir / "output.log"

    def add_package(self, name: str, text: str) -> None:
        """Let the configuration have a package of this name; call it before the start."""
        self._configuration.add_package(name, text)
        self._configuration.write(self.version)

    def check_configuration(self) -> subprocess.CompletedProcess[str]:
        """What `hass --script check_config` says; it needs no running core."""
        command = [str(self._python), "-m", "homeassistant", "--script", "check_config"]
        return subprocess.run(
            [*command, "--config", str(self.config_dir)],
            capture_output=True,
            text=True,
            cwd=self.config_dir,
            env=_environment(),
            timeout=CHECK_SECONDS_MAX,
            check=False,
        )

    # Process

    def start(self, *, until_running: bool = True) -> None:
        """Start and wait until it is running; the first time, become its owner and get `token`.

        Without `until_running` return as soon as it answers commands, which is long before (`add_bulk(delay=…)`).
        """
        assert self._process is None, "already started"
        command = [str(self._python), "-m", "homeassistant", "--config", str(self.config_dir), "--skip-pip"]
        with self._output_file.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "--log-no-color"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.config_dir,
                env=_environment(),
                start_new_session=True,
            )
        if not self.token:
            self._wait_until(self._is_onboarding, "offer its onboarding")
            self.token = self._onboard()
            self.wait_until_running()
            self._settle()
        if until_running:
            self.wait_until_running()
        else:
            self._wait_until(lambda: bool(self.command("get_config")), "answer a command")

    def stop(self) -> None:
        """Stop cleanly: everything that waits to be written to `.storage` is written."""
        assert self._process is not None, "not started"
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(timeout=STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired as expired:
            self.kill()
            raise self._error(f"did not stop within {STOP_SECONDS_MAX} s") from expired
        self.kill()
        if code != 0:
            raise self._error(f"ended with code {code} when stopped")

    def restart(self) -> None:
        """Stop cleanly and start again, on the same port."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """End the process and all it started, at once. What was not written yet is lost."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=STOP_SECONDS_MAX)
        self._process = None

    def wait_until_running(self) -> None:
        """Wait for `get_config` to say RUNNING; start and restart have done so already."""
        self._wait_until(self._is_running, "be RUNNING")

    def log_text(self) -> str:
        """All it printed since it was first started: warnings and errors."""
        return self._output_file.read_text(errors="replace") if self._output_file.exists() else ""

    # Broken homes

    def break_configuration(self) -> None:
        """Restart into recovery mode, by a configuration.yaml that is no YAML."""
        self.stop()
        self.start_broken()

    def start_broken(self) -> None:
        """Start into recovery mode what was stopped."""
        self._configuration.write(self.version, broken=True)
        self.start()

    def repair_configuration(self) -> None:
        """Restart with the configuration as it was."""
        self.stop()
        self._configuration.write(self.version)
        self.start()

    def upgrade(self, python: Path) -> None:
        """Let another Home Assistant start with these files."""
        self.stop()
        self._python = python
        self._configuration.write(self.version)
        self.start()

    def flush_storage(self) -> Path:
        """Restart, so that `.storage` holds what the registries hold; returns that directory.

        A running core writes a registry 10 s after its last change, a stopping one at once.
        """
        self.restart()
        return self.storage_dir

    # Administration

    def command(self, command: str, **parameters: Any) -> Any:
        """The result of one websocket command as the owner. Raises CommandError when it is refused."""
        return send_command(self.url, self.token, command, **parameters)

    def add_bulk(self, name: str = "Bulk", *, devices: int = 10, entities: int = 10, **options: Any) -> str:
        """Add an entry with so many devices of so many entities each; returns its entry_id once they are there.

        Options are those of the component, which lies in the test data: children, disabled, delay, fail and others.
        """
        flows = f"{self.url}/api/config/config_entries/flow"
        flow = request("POST", flows, token=self.token, body={"handler": "bulk"})
        answer = {"name": name, "devices": devices, "entities": entities, **options}
        done = request("POST", f"{flows}/{flow['flow_id']}", token=self.token, body=answer)
        entry_id: str = done["result"]["entry_id"]
        return entry_id

    def remove_entry(self, entry_id: str) -> None:
        """Remove an integration's entry, with its devices and entities."""
        request("DELETE", f"{self.url}/api/config/config_entries/entry/{entry_id}", token=self.token)

    def read_only_token(self) -> str:
        """The token of a user who may only read; the user is made the first time."""
        if not self._read_only_token:
            name = password = "reader"
            user = self.command("config/auth/create", name=name, group_ids=["system-read-only"])["user"]
            credentials = {"user_id": user["id"], "username": name, "password": password}
            self.command("config/auth_provider/homeassistant/create", **credentials)
            code = log_in(self.url, name, password)
            self._read_only_token = long_lived_token(self.url, code, "reconcile, read only")
        return self._read_only_token

    # Waiting

    def _onboard(self) -> str:
        """Create the owner and return a long-lived token of theirs."""
        owner = {"name": "Owner", "username": "owner", "password": "owner", "language": "en"}
        answer = request(
            "POST", f"{self.url}/api/onboarding/users", body={**owner, "client_id": f"{self.url}/"}
        )
        return long_lived_token(self.url, answer["auth_code"], "reconcile, tests")

    def _settle(self) -> None:
        """Write what the first restart would write, so that a restart changes no row.

        `conversation` decides at its start, for each entity it knows, whether to expose it, and keeps that in the
        entity's `options`. Enabled entities have it at once, new disabled ones at the next start (2024.3.3, 2026-11-23).
        """
        entities = self.command("config/entity_registry/list")
        disabled = [row["entity_id"] for row in entities if row["disabled_by"]]
        choice = {"assistants": ["conversation"], "entity_ids": disabled, "should_expose": False}
        self.command("homeassistant/expose_entity", **choice)

    def _is_onboarding(self) -> bool:
        return bool(request("GET", f"{self.url}/api/onboarding"))

    def _is_running(self) -> bool:
        return bool(self.command("get_config")["state"] == "RUNNING")

    def _wait_until(self, question: Callable[[], bool], what: str) -> None:
        """Poll until the answer is yes. Raises HomeAssistantError when the process ends or the attempts are used up."""
        for _ in range(POLL_ATTEMPTS_MAX):
            if self._process is None or self._process.poll() is not None:
                raise self._error(f"ended before it could {what}")
            # Refused connections, and paths that are not there yet (404), belong to every start.
            with suppress(OSError, WebSocketException):
                if question():
                    return
            time.sleep(POLL_SECONDS)
        raise self._error(f"did not {what} within {POLL_ATTEMPTS_MAX} attempts")

    def _error(self, what: str) -> HomeAssistantError:
        last_lines = "\n".join(self.log_text().splitlines()[-LOG_LINES_SHOWN:])
        return HomeAssistantError(f"Home Assistant in {self.config_dir} {what}. It printed:\n{last_lines}")


@contextmanager
def running_home_assistant(python: Path, config_dir: Path) -> Iterator[HomeAssistant]:
    """A running core with the demo integration; its processes are ended in every case."""
    home_assistant = HomeAssistant(python, config_dir)
    try:
        home_assistant.start()
        yield home_assistant
    finally:
        home_assistant.kill()


def _environment() -> dict[str, str]:
    """Ours, without what would lead its interpreter to our packages."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
