"""`reconcile healthcheck`: the address it checks, its verdict on the answer, and that it always ends."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.commandline.verbs.service import healthcheck
from tests.commandline.in_process import Reconcile
from tests.service_process import ROOT, Service

AnswerWith = Callable[[bytes], str]


@pytest.fixture
def answer_with() -> Iterator[AnswerWith]:
    """Makes a server that reads one request and sends these bytes. Returns its address."""
    opened: list[socket.socket] = []

    def serve(listener: socket.socket, answer: bytes) -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(answer)

    def start(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        opened.append(listener)
        threading.Thread(target=serve, args=(listener, answer), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in opened:
        listener.close()


def http(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "token").write_text("very-secret")
    started = Service(tmp_path, RECONCILE_HTTP__HOST="0.0.0.0", RECONCILE_HTTP__TOKEN_FILE="token")
    yield started
    started.process.kill()
    started.process.communicate()


@pytest.mark.process
def test_the_check_uses_the_address_in_the_settings_and_needs_no_token(
    reconcile: Reconcile, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = service.wait_until_serving().rpartition(":")[2]
    monkeypatch.setenv("RECONCILE_HTTP__HOST", "0.0.0.0")
    monkeypatch.setenv("RECONCILE_HTTP__PORT", port)
    monkeypatch.setenv("RECONCILE_HTTP__TOKEN_FILE", "/not/readable/here")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert reconcile("healthcheck") == (0, f"http://127.0.0.1:{port}: alive.\n", "")
    assert reconcile("healthcheck", "-q") == (0, "", "")
    service.stop()
    code, out, err = reconcile("healthcheck")
    assert (code, out) == (69, "")
    assert err == f"http://127.0.0.1:{port}: nothing answers (Connection refused).\n"


@pytest.mark.parametrize(
    ("answer", "reported"),
    [
        (http("503 Service Unavailable", "{}"), "/healthz returned 503"),
        *(
            (http("200 OK", body), "the program that answers /healthz is not reconcile")
            for body in (
                "<html>somebody else",
                '{"ok":false}',
                '{"status":"not ok","reasons":["ok"]}',
                '"ok"',
                '{"status":"ok"',
                "[" * 1000,
                '{"status":"ok","more":"' + "." * 1000 + '"}',
                "\xff",
                "",
            )
        ),
        (b"220 mail.example ESMTP\r\n", "no proper answer (BadStatusLine)"),
        (b"", "no proper answer (RemoteDisconnected)"),
    ],
)
def test_another_answer_is_unhealthy_with_a_one_line_reason(
    answer: bytes, reported: str, reconcile: Reconcile, answer_with: AnswerWith
) -> None:
    url = answer_with(answer)
    assert reconcile("healthcheck", "--url", url) == (1, "", f"{url}: {reported}.\n")


def test_a_service_that_hangs_is_not_waited_for(
    reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healthcheck, "TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert reconcile("healthcheck", "--url", url) == (1, "", f"{url}: no answer in time.\n")


@pytest.mark.parametrize(
    ("host", "asked"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")],
)
def test_a_listener_on_every_address_is_checked_on_loopback(
    host: str, asked: str, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_HTTP__HOST", host)
    monkeypatch.setattr(healthcheck, "ask", lambda url: (0, url.netloc))
    assert reconcile("healthcheck").out == f"http://{asked}:8099: {asked}:8099.\n"


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8099", "ftp://home", "http://", "http://home:port", "http://[::", "http://home/ü"]
)
def test_an_invalid_address_is_a_usage_error(url: str, reconcile: Reconcile) -> None:
    code, out, err = reconcile("healthcheck", "--url", url)
    assert (code, out) == (64, "")
    assert "is not the address of a service" in err


def test_a_host_that_cannot_be_is_not_there(reconcile: Reconcile) -> None:
    code, out, err = reconcile("healthcheck", "--url", f"http://{'x' * 64}.invalid:8099")
    assert (code, out) == (69, "")
    assert "nothing answers" in err


def test_an_unknown_port_must_be_given(reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILE_HTTP__PORT", "0")
    code, _, err = reconcile("healthcheck")
    assert code == 1
    assert "--url" in err


def test_it_loads_no_library_when_given_the_address() -> None:
    program = (
        "import sys\nfrom engine.__main__ import main\n"
        "main(['healthcheck', '--url', 'http://127.0.0.1:1'])\n"
        "print([m for m in ('msgspec', 'anyio', 'asyncio', 'apsw', 'starlette') if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n"
