"""ops/home-assistant/custom_components/reconcile without a Home Assistant: what it says, and what it takes for a status."""

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any

import pytest

from engine import __version__
from engine.core.state.advice import GUARDS
from engine.core.words import GuardName, SyncStatus
from tests.ops.programs import OPS, ROOT

INTEGRATION = OPS / "home-assistant" / "custom_components" / "reconcile"
TEXTS = json.loads((INTEGRATION / "translations" / "en.json").read_bytes())
MANIFEST = json.loads((INTEGRATION / "manifest.json").read_bytes())


def source(name: str) -> str:
    return (INTEGRATION / f"{name}.py").read_text(encoding="utf-8")


def test_it_is_of_this_release_and_needs_no_package() -> None:
    assert (MANIFEST["domain"], MANIFEST["version"]) == (INTEGRATION.name, __version__)
    assert MANIFEST["requirements"] == []
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (repository,) = re.findall(r'(?m)^repository = "(.*)"$', pyproject)
    assert (MANIFEST["documentation"], MANIFEST["issue_tracker"]) == (repository, f"{repository}/issues")


def test_a_guard_that_needs_a_person_raises_an_issue_with_the_same_text_as_elsewhere() -> None:
    named = set(re.findall(r'^    "(\w+)",$', source("coordinator"), re.MULTILINE))
    assert named == set(GuardName) - {GuardName.NOT_RUNNING}
    assert TEXTS["issues"].keys() == {"guard", *(f"guard_{name}" for name in named)}
    for name in named:
        said, advice = TEXTS["issues"][f"guard_{name}"], GUARDS[GuardName(name)]
        assert said["title"] == f"{{title}}: {advice.title}"
        assert said["description"] == f"{{message}}\n\n{advice.meaning} {advice.action}\n\n{{hint}}{{name}}"


def test_every_entity_step_and_error_has_words_and_nothing_else_has() -> None:
    for platform in ("sensor", "binary_sensor"):
        keys = re.findall(r'translation_key="(\w+)"', source(platform))
        assert TEXTS["entity"][platform].keys() == set(keys)
    states = TEXTS["entity"]["sensor"]["status"]["state"]
    assert states.keys() == set(SyncStatus) - {SyncStatus.UNKNOWN}
    flow = source("config_flow")
    assert TEXTS["config"]["error"].keys() == set(re.findall(r': "(\w+)"[,}]', flow))
    assert {"user", "reauth_confirm", "reconfigure"} == TEXTS["config"]["step"].keys()
    done = set(re.findall(r'"(\w+_successful)"', flow))
    assert TEXTS["config"]["abort"].keys() == {"already_configured", *done}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that asks, with the little of aiohttp that it uses: Home Assistant brings that, we do not."""
    aiohttp = ModuleType("aiohttp")
    for name, value in (("ClientTimeout", dict), ("ClientError", OSError), ("ClientSession", object)):
        setattr(aiohttp, name, value)
    monkeypatch.setitem(sys.modules, "aiohttp", aiohttp)
    spec = spec_from_file_location("reconcile_client", INTEGRATION / "client.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Session:
    """Answers each GET alike, and keeps what was asked."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.content = self
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._body = body

    @asynccontextmanager
    async def get(self, url: str, **how: Any) -> Any:
        self.asked.append((url, how))
        yield self

    async def iter_chunked(self, size: int) -> Any:
        for start in range(0, len(self._body), size):
            yield self._body[start : start + size]


GOOD = {"status": "in_sync", "source": {"connected": True}, "replicas": [], "guards": []}


def read(client: ModuleType, session: Session, token: str = "t") -> Any:
    ask: Callable[..., Awaitable[Any]] = client.read_status
    return asyncio.run(ask(session, "http://home:8099", token))  # type: ignore[arg-type]


def test_no_number_of_pending_changes_is_given_while_a_store_is_unknown(client: ModuleType) -> None:
    one, other = {"status": "in_sync", "pending": 0}, {"status": "out_of_sync", "pending": 2}
    assert client.pending_changes({"replicas": [one, other]}) == 2
    assert client.pending_changes({"replicas": [one, {"status": "unknown", "pending": 0}]}) is None
    assert client.pending_changes({"replicas": []}) is None


def test_a_status_is_asked_for_with_the_token_which_goes_nowhere_else(client: ModuleType) -> None:
    session = Session(200, json.dumps(GOOD).encode())
    assert read(client, session) == GOOD
    ((url, how),) = session.asked
    assert url == "http://home:8099/api/status"
    assert (how["headers"], how["allow_redirects"]) == ({"Authorization": "Bearer t"}, False)
    read(client, session, "")
    assert session.asked[1][1]["headers"] == {}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"", "TokenRefused"),
        (403, b"", "TokenRefused"),
        (404, b"", "NoService"),
        (302, b"", "NoService"),
        (500, b"", "NoService"),
        (200, b"", "NoService"),
        (200, b"<html>", "NoService"),
        (200, b"\xff\xfe", "NoService"),
        (200, b"[" * 100_000, "NoService"),
        (200, b"null", "NoService"),
        (200, json.dumps({**GOOD, "status": "fine"}).encode(), "NoService"),
        (200, json.dumps({**GOOD, "status": ["in_sync"]}).encode(), "NoService"),
        (200, json.dumps({**GOOD, "source": None}).encode(), "NoService"),
        (200, json.dumps({**GOOD, "replicas": {}}).encode(), "NoService"),
        (200, json.dumps({**GOOD, "guards": ["delete_ratio"]}).encode(), "NoService"),
        (200, json.dumps({**GOOD, "more": "x" * 2**20}).encode(), "NoService"),
    ],
)
def test_what_is_no_status_is_refused(client: ModuleType, status: int, body: bytes, error: str) -> None:
    with pytest.raises(client.ServiceError) as raised:
        read(client, Session(status, body))
    assert type(raised.value).__name__ == error
    assert "http://home:8099" in str(raised.value)


def test_an_address_is_taken_as_people_write_it(client: ModuleType) -> None:
    assert client.base_url(" http://home:8099/ ") == "http://home:8099"
    assert client.base_url("home:8099") == "http://home:8099"
    assert client.base_url("https://h/sites/mill/") == "https://h/sites/mill"
    for wrong in ("", "http://", "ftp://home", "http://me:secret@home", "http://home/?a=1", "http://ho me"):
        with pytest.raises(client.NoService):
            client.base_url(wrong)
