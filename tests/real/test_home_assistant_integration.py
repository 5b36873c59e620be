"""ops/home-assistant/custom_components/reconcile in a real Home Assistant, over a real service."""

import shutil
import urllib.error
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.commandline.homes import Home
from tests.real.admin_client import request
from tests.real.home_assistant import HomeAssistant
from tests.service_process import Service, get, poll, wait_until

pytestmark = pytest.mark.real_server

INTEGRATION = Path(__file__).parents[2] / "ops" / "home-assistant" / "custom_components" / "reconcile"
TOKEN = "for-the-integration"
REMOVED = 60


class Running:
    """A service of a recorded home, which may be edited."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.home = Home(folder / "home")
        self.token = TOKEN
        self.address = ""
        self.start()

    def start(self, port: str = "0") -> None:
        token_file = self.folder / "token"
        token_file.write_text(self.token)
        self.service = Service(
            self.folder,
            source=self.home.source,
            RECONCILE_HTTP__TOKEN_FILE=str(token_file),
            RECONCILE_HTTP__PORT=port,
            RECONCILE_LOOP__POLL_SECONDS="0.2",
            RECONCILE_PLAN__DELETE_CONFIRM_SECONDS="0",
        )
        self.address = self.service.wait_until_serving()

    def restart(self, token: str) -> None:
        """Go on at the same address with another token."""
        self.service.stop()
        self.token = token
        self.start(self.address.rpartition(":")[2])

    def wait_for(self, word: str) -> dict[str, Any]:
        answer: dict[str, Any] = poll(self.address, "/api/status", word, self.token)
        return answer

    def kill(self) -> None:
        self.service.process.kill()
        self.service.process.communicate()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path / "service")
    yield made
    made.kill()


@pytest.fixture
def core(home_assistant_python: Path, tmp_path: Path) -> Iterator[HomeAssistant]:
    """A core with the integration, which asks each second and not every 30; started."""
    made = HomeAssistant(home_assistant_python, tmp_path / "home_assistant")
    folder = made.config_dir / "custom_components" / "reconcile"
    shutil.copytree(INTEGRATION, folder, ignore=shutil.ignore_patterns("__pycache__"))
    const = (folder / "const.py").read_text(encoding="utf-8")
    assert "seconds=30" in const
    (folder / "const.py").write_text(const.replace("seconds=30", "seconds=1"), encoding="utf-8")
    made.add_package("for_the_test", "diagnostics:\n")
    made.start()
    yield made
    made.kill()


class Flow:
    """A dialogue of the core's configuration, as its page leads it."""

    def __init__(self, core: HomeAssistant, flow_id: str = "") -> None:
        self._core = core
        self._flows = f"{core.url}/api/config/config_entries/flow"
        body = {"handler": "reconcile", "show_advanced_options": False}
        self.shown = request("POST", self._flows, token=core.token, body=body) if not flow_id else {}
        self._id = flow_id or self.shown["flow_id"]

    def answer(self, url: str, token: str) -> Any:
        body = {"url": url, "token": token}
        return request("POST", f"{self._flows}/{self._id}", token=self._core.token, body=body)


def shown(core: HomeAssistant) -> dict[str, str]:
    """The states of our entities by the end of their ids."""
    states = request("GET", f"{core.url}/api/states", token=core.token)
    return {
        state["entity_id"].partition(".")[2].removeprefix("reconcile_"): state["state"]
        for state in states
        if state["entity_id"].partition(".")[2].startswith("reconcile_")
    }


def issues(core: HomeAssistant) -> list[dict[str, Any]]:
    return [one for one in core.command("repairs/list_issues")["issues"] if one["domain"] == "reconcile"]


def wait_for(core: HomeAssistant, **wanted: str) -> None:
    wait_until(
        lambda: wanted.items() <= shown(core).items(), f"{wanted}, but {shown(core)}; {core.log_text()}"
    )


def test_the_dialogue_explains_errors_and_the_entities_mirror_the_service(
    core: HomeAssistant, running: Running
) -> None:
    running.wait_for("in_sync")
    flow = Flow(core)
    assert (flow.shown["type"], flow.shown["step_id"]) == ("form", "user")
    for url, token, said in (
        (running.address, "wrong", "invalid_auth"),
        (running.address, "", "invalid_auth"),
        (f"{running.address}/sites/mill", TOKEN, "no_service"),
        (core.url, TOKEN, "no_service"),
        ("nonsense?", TOKEN, "no_service"),
        ("http://127.0.0.1:1", TOKEN, "cannot_connect"),
    ):
        assert flow.answer(url, token)["errors"] == {"base": said}, url
    made = flow.answer(f" {running.address}/ ", TOKEN)
    assert (made["type"], made["title"]) == ("create_entry", "Reconcile")
    entry_id = made["result"]["entry_id"]

    wait_for(core, status="in_sync", records_that_differ="0", pending_changes="0", not_in_sync="off")
    assert shown(core)["home_assistant_followed"] == "on"
    assert float(shown(core)["lag"]) < 60
    again = Flow(core).answer(running.address, TOKEN)
    assert (again["type"], again["reason"]) == ("abort", "already_configured")

    with closing(apsw.Connection(str(running.folder / "rows.db"))) as other_program:
        other_program.set_busy_timeout(60_000)
        other_program.execute("INSERT INTO devices (device_id, name) VALUES ('mocked', 'Sun')")
    wait_for(core, status="out_of_sync", records_that_differ="1", not_in_sync="on")
    assert issues(core) == []

    reported = request("GET", f"{core.url}/api/diagnostics/config_entry/{entry_id}", token=core.token)["data"]
    assert reported["entry"] == {"url": running.address, "token": "**REDACTED**"}
    assert reported["status"]["status"] == "out_of_sync"
    assert TOKEN not in str(reported)


def test_a_guard_is_a_repair_issue_with_the_next_step_until_it_is_lifted(
    core: HomeAssistant, running: Running
) -> None:
    running.wait_for("in_sync")
    entry_id = Flow(core).answer(running.address, TOKEN)["result"]["entry_id"]
    wait_for(core, status="in_sync")
    rows = running.home.folder / "entity_registry_list.json"
    whole = rows.read_bytes()
    running.home.edit("entity_registry_list", lambda entities: entities.__delitem__(slice(REMOVED)))
    wait_for(core, status="blocked", not_in_sync="on")
    # The status shows it first, and the report with the guards follows when the rest of the pass is done.
    wait_until(lambda: issues(core) != [], "an issue")
    (issue,) = issues(core)
    assert issue["translation_key"] == "guard_delete_ratio"
    assert (issue["severity"], issue["is_fixable"]) == ("warning", False)
    reported = issue["translation_placeholders"]
    assert f"Plan deletes {REMOVED} of" in reported["message"]
    assert f"--max-delete {REMOVED}" in reported["hint"]
    guards = running.wait_for("blocked")["guards"]
    assert reported["name"].endswith(f": `{guards[0]['name']}`")
    assert (reported["message"], reported["hint"]) in [(guard["message"], guard["hint"]) for guard in guards]
    assert issue["learn_more_url"] == f"{running.address}/"

    rows.write_bytes(whole)
    wait_for(core, status="in_sync")
    wait_until(lambda: issues(core) == [], "the issue is taken back")

    running.home.edit("entity_registry_list", lambda entities: entities.__delitem__(slice(REMOVED)))
    wait_until(lambda: issues(core) != [], "it is there again")
    core.remove_entry(entry_id)
    assert issues(core) == []
    wait_until(lambda: shown(core) == {}, "the entities are gone")


def reauth(core: HomeAssistant) -> list[str]:
    flows = core.command("config_entries/flow/progress")
    return [flow["flow_id"] for flow in flows if flow["context"]["source"] == "reauth"]


def test_a_service_that_goes_away_comes_back_or_wants_another_token(
    core: HomeAssistant, running: Running
) -> None:
    running.wait_for("in_sync")
    Flow(core).answer(running.address, TOKEN)
    wait_for(core, status="in_sync")
    running.service.stop()
    wait_for(core, status="unavailable", not_in_sync="unavailable")
    running.start(running.address.rpartition(":")[2])
    wait_for(core, status="in_sync")

    running.restart("another")
    wait_until(lambda: reauth(core) != [], "it asks for the token")
    (flow_id,) = reauth(core)
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(running.address, "/api/status", TOKEN)
    refused.value.close()
    assert Flow(core, flow_id).answer(running.address, TOKEN)["errors"] == {"base": "invalid_auth"}
    done = Flow(core, flow_id).answer(running.address, "another")
    assert (done["type"], done["reason"]) == ("abort", "reauth_successful")
    wait_for(core, status="in_sync")
    core.restart()
    wait_for(core, status="in_sync")
    core.stop()
    assert "custom_components/reconcile/" not in core.log_text()  # no traceback leads there
    assert "Detected that custom integration 'reconcile'" not in core.log_text()
