"""Nothing that the program writes, says or answers holds a secret of the home it mirrors."""

import base64
import logging
import os
import re
import traceback
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine.__main__ import main
from engine.errors import ReplicaError
from engine.replicas.influx.wires.address import parse_address
from engine.replicas.influx.wires.http import Credentials
from engine.replicas.influx.wires.v1 import WireV1
from engine.replicas.influx.wires.v2 import WireV2
from engine.replicas.influx.wires.wire import Scan, Wire
from engine.secret import Secret
from engine.settings.layers import load_settings
from engine.sources.live.protocol import HomeAssistantProtocol
from engine.sources.live.websocket import WebsocketSource
from tests.fakes.home_assistant import FakeHomeAssistant
from tests.fakes.influxdb import Reply, ScriptedPeer
from tests.security.secret_home import (
    API_TOKEN,
    HOME_TOKEN,
    INFLUX_PASSWORD,
    INFLUX_TOKEN,
    TOKENS,
    WORD,
    leaks,
    leaks_below,
    write_storage,
)
from tests.service_process import Service, poll
from tests.sources.recorded_homes import quiet, write_backup

COMMANDS = (
    ("--dry-run", "--full", "--verbose", "--plan-out", "plan.json"),
    ("--full", "--verbose", "--metrics-file", "pass.prom"),
    ("--json",),
    ("drift", "--json"),
    ("drift", "--full", "--verbose"),
    ("show", "config_entry/01M83ZKQEZFG5SJA71ZF57S12H", "--json"),
    ("history", "config_entry/01M83ZKQEZFG5SJA71ZF57S12H", "--json"),
    ("config", "show"),
    ("config", "show", "--json"),
    ("doctor", "--verbose"),
)
SCAN = Scan(measurements=("ha_device",), fields=("hash",))
ROUTES = (
    *(
        "/api/areas",
        "/api/categories",
        "/api/changes?limit=1000",
        "/api/devices?limit=1000",
        "/api/drift?limit=1000",
    ),
    *("/api/entities?limit=10000", "/api/floors", "/api/integrations?limit=1000", "/api/labels", "/api/runs"),
    *(
        "/api/status",
        "/health",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/nothing",
        "/api/devices?x=1",
    ),
    "/api/devices?limit=10&at=2100-01-01T00:00:00Z",
    *("/", "/live", "/drift", "/changes", "/?q=e", "/home?loose=true", "/?at=2100-01-01", "/device?id=none"),
)


@pytest.fixture(autouse=True)
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Secret files, named by the environment, in a folder that is not searched."""
    for name in list(os.environ):
        if name.startswith(("RECONCILE_", "SUPERVISOR_", "CREDENTIALS_")):
            monkeypatch.delenv(name)
    folder = tmp_path / "secrets"
    folder.mkdir()
    names = ("SOURCE__TOKEN", "SOURCE__BACKUP_KEY", "RECORDS__TOKEN", "RECORDS__PASSWORD", "HTTP__TOKEN")
    for name, secret in zip(names, TOKENS, strict=True):
        (folder / name).write_text(secret)
        monkeypatch.setenv(f"RECONCILE_{name}_FILE", str(folder / name))
    monkeypatch.chdir(tmp_path)
    return folder


def test_the_search_finds_a_secret_in_every_form() -> None:
    for before in ("", "x", "xy"):
        assert leaks(base64.b64encode(f"{before}{INFLUX_TOKEN}".encode()))
    assert leaks(HOME_TOKEN.encode())
    assert leaks(WORD.encode().hex().encode())
    assert not leaks(b"nothing")


@pytest.mark.parametrize("form", [pytest.param("storage", marks=pytest.mark.slow), "backup"])
def test_no_command_leaks_the_secrets_of_a_home(
    tmp_path: Path, tokens: Path, capsysbinary: pytest.CaptureFixture[bytes], form: str
) -> None:
    storage = write_storage(tmp_path / "input" / ".storage")
    backup = write_backup(tmp_path / "input" / "backup.tar", storage)
    assert leaks_below(tmp_path / "input"), "the secrets are there to be found"
    source = f"storage:{storage}" if form == "storage" else f"backup:{backup}"

    for command in COMMANDS:
        main([*command, "--source", source, "--rows", "rows.db", "--records", "history:history.db"])
        out, err = capsysbinary.readouterr()
        assert leaks(out + err) == [], command
    assert (tmp_path / "rows.db").stat().st_size > 100_000
    assert {"plan.json", "pass.prom", "history.db"} <= {p.name for p in tmp_path.iterdir()}
    assert leaks_below(tmp_path, but=(tmp_path / "input", tokens)) == {}


@pytest.mark.slow
def test_no_command_leaks_a_token(
    home_assistant: FakeHomeAssistant,
    influxdb: ScriptedPeer,
    tmp_path: Path,
    tokens: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    for wire in ("v1", "v2", "auto"):
        for command in COMMANDS:
            main(
                [
                    *command,
                    "--source",
                    home_assistant.uri,
                    "--rows",
                    "rows.db",
                    "--records",
                    influxdb.uri(wire),
                ]
            )
            out, err = capsysbinary.readouterr()
            assert leaks(out + err) == [], (wire, command)
    assert any(INFLUX_TOKEN in request.headers.get("authorization", "") for request in influxdb.requests)
    assert leaks_below(tmp_path, but=(tokens,)) == {}


async def read_all_loggers(uri: str) -> int:
    snapshot = await WebsocketSource(uri, HOME_TOKEN, timeout_seconds=60).read(quiet)
    return len(snapshot.home.records)


def test_no_library_logs_a_token_at_any_level(
    home_assistant: FakeHomeAssistant, influxdb: ScriptedPeer, caplog: pytest.LogCaptureFixture
) -> None:
    # influxdb-client logs a refused answer to the root logger at DEBUG, which `set_up_logging` keeps at WARNING.
    influxdb.default = Reply(status=401, body=b'{"message": "unauthorized"}')
    caplog.set_level(1)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(1, logger=name)
    assert anyio.run(read_all_loggers, home_assistant.uri) > 100
    credentials = (
        Credentials(Secret(INFLUX_TOKEN)),
        Credentials(Secret(""), "user", Secret(INFLUX_PASSWORD)),
    )
    for credential in credentials:
        for wire_type in (WireV1, WireV2):
            wire: Wire = wire_type(parse_address(influxdb.uri("v2")), credential, timeout_seconds=60)
            for attempt in (lambda w=wire: list(w.scan(SCAN)), lambda w=wire: w.write(b"a b=1"), wire.probe):
                with pytest.raises(ReplicaError) as reported:
                    attempt()
                assert leaks(traceback_text(reported.value).encode()) == []
            wire.close()
    # The fake server's own log has what it received, as a real one's might.
    ours = [record for record in caplog.records if not record.name.startswith("websockets.server")]
    assert {"urllib3.connectionpool", "asyncio"} <= {record.name for record in ours}
    for record in ours:
        assert leaks(f"{record.getMessage()} {record.args} {record.exc_info}".encode()) == []


def traceback_text(error: BaseException) -> str:
    """The traceback of an error, and of what caused it."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.__cause__)


def test_nothing_prints_a_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loaded = load_settings({}, os.environ, None, tmp_path)
    assert [secret.reveal() for secret in loaded.secrets.values()] == list(TOKENS)
    credentials = Credentials(loaded.records_token, "user", loaded.records_password)
    source = WebsocketSource("ws://h", loaded.token.reveal())
    protocol = HomeAssistantProtocol(loaded.token.reveal())
    wires = [w(parse_address("influxdb://h/b"), credentials, timeout_seconds=60) for w in (WireV1, WireV2)]
    for thing in (loaded, loaded.secrets, credentials, source, protocol, *wires):
        for text in (repr(thing), str(thing), f"{thing}"):
            assert leaks(text.encode()) == [], text


def test_a_refused_token_is_not_repeated(
    home_assistant: FakeHomeAssistant, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    home_assistant.token = "another"
    home_assistant.greeting = f'{{"type": "auth_required", "ha_version": "{HOME_TOKEN}"}}'.encode()
    assert main(["--source", home_assistant.uri, "--rows", "rows.db", "--records", "none"]) != 0
    home_assistant.greeting = f"<html>{HOME_TOKEN}".encode()
    assert main(["--source", home_assistant.uri, "--rows", "rows.db", "--records", "none"]) != 0
    out, err = capsysbinary.readouterr()
    assert leaks(out + err) == []


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.process
def test_the_service_leaks_nothing(
    home_assistant: FakeHomeAssistant,
    tmp_path: Path,
    tokens: Path,
    services: list[Service],
    log_format: str,
) -> None:
    environ = {f"RECONCILE_{path.name}_FILE": str(path) for path in tokens.iterdir()}
    service = Service(
        tmp_path,
        source=home_assistant.uri,
        RECONCILE_LOG__LEVEL="debug",
        RECONCILE_LOG__FORMAT=log_format,
        PYTHONASYNCIODEBUG="1",
        **environ,
    )
    services.append(service)
    address = address_told(service)
    poll(address, "/api/status", "in_sync", API_TOKEN)
    for path in ROUTES:
        for token in (API_TOKEN, "", "wrong"):
            assert leaks(raw_answer(address, path, token)) == [], (path, token)
    for process in (service.process.pid, os.getpid()):
        assert leaks(Path(f"/proc/{process}/cmdline").read_bytes()) == []
    code, said = service.stop()
    assert code == 0
    assert leaks(said.encode()) == []
    assert leaks_below(tmp_path, but=(tokens,)) == {}


def address_told(service: Service) -> str:
    """The API's address, from a log of either format."""
    assert service.process.stderr is not None
    for line in service.process.stderr:
        service.lines.append(line)
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        if found:
            return found[0]
    pytest.fail(f"did not serve: {service.lines}")


def raw_answer(address: str, path: str, token: str) -> bytes:
    """Head and body, with any status."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{address}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return told_by(answer)
    except urllib.error.HTTPError as error:
        with error:
            return told_by(error)


def told_by(answer: Any) -> bytes:
    head: bytes = answer.headers.as_bytes()
    body: bytes = answer.read()
    return head + body


@pytest.mark.parametrize(
    "arguments",
    [
        ("--token", HOME_TOKEN),
        (f"--token={HOME_TOKEN}",),
        ("--http-token", API_TOKEN),
        ("--source", f"ws://user:{HOME_TOKEN}@host:8123"),
        ("--source", f"ws://host:8123/?access_token={HOME_TOKEN}"),
        ("--source", f"hue://{HOME_TOKEN}"),
        ("--records", f"influxdb://user:{INFLUX_TOKEN}@host/homes"),
        ("--records", f"influxdb://host/homes?token={INFLUX_TOKEN}"),
        ("--records", f"influxdb://host?token={INFLUX_TOKEN}"),
        ("--records", f"postgres://user:{INFLUX_TOKEN}@host"),
    ],
)
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(
    arguments: tuple[str, ...], tmp_path: Path, tokens: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    given = ("--source", "ws://127.0.0.1:1") if "--records" in arguments else ()
    assert main([*given, *arguments, "--rows", "rows.db"]) != 0
    out, err = capsysbinary.readouterr()
    assert err.startswith(b"Error: ")
    assert leaks(out + err) == []
    assert leaks_below(tmp_path, but=(tokens,)) == {}
