"""Seen through whole connections, but for what no loopback server can provoke: that is at the end."""

import socket
import ssl
from typing import Any

import pytest
from anyio.abc import SocketStream
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close, CloseCode

from engine.errors import (
    EngineError,
    SettingsError,
    SourceError,
    SourceInvalid,
    SourceRefused,
    SourceUnavailable,
)
from engine.sources.live.connection import open_connection
from engine.sources.live.failures import closed_failure, connect_failure
from tests.fakes.home_assistant import TOKEN, Misbehaviour, fake_home_assistant
from tests.fakes.tcp_server import tcp_server

URI = "ws://home.local:8123/api/websocket"
SHORT_SECONDS = 0.05  # For what must never be answered; nothing else waits for it.


async def failure_of_opening(uri: str, token: str = TOKEN, **options: Any) -> EngineError:
    with pytest.raises(EngineError) as refused:
        async with open_connection(uri, token, **options):
            pass
    assert TOKEN not in f"{refused.value!r} {refused.value} {refused.value.__cause__!r}"
    return refused.value


@pytest.mark.anyio
async def test_a_wrong_token_is_refused_after_one_attempt() -> None:
    async with fake_home_assistant() as fake:
        failure = await failure_of_opening(fake.uri, "another-token")
        assert (fake.connections_total, fake.logins_failed) == (1, 1)
    assert isinstance(failure, SourceRefused)
    assert failure.is_login
    assert "source.token_file" in failure.hint
    assert "another-token" not in str(failure)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (401, SourceRefused, "ip_bans.yaml"),
        (403, SourceRefused, "ip_bans.yaml"),
        (400, SourceInvalid, "http.trusted_proxies"),
        (404, SourceUnavailable, "down, starting or updating"),
        (404, SourceUnavailable, "/api/websocket"),
        (421, SourceUnavailable, "/api/websocket"),
        (200, SourceInvalid, "/api/websocket"),
        (500, SourceUnavailable, "down, starting or updating"),
        (502, SourceUnavailable, "down, starting or updating"),
        (503, SourceUnavailable, "down, starting or updating"),
        (504, SourceUnavailable, "down, starting or updating"),
    ],
)
async def test_an_http_answer_instead_of_a_websocket_is_explained(
    status: int, kind: type[SourceError], hint: str
) -> None:
    async with fake_home_assistant() as fake:
        fake.http_status = status
        failure = await failure_of_opening(fake.uri)
    assert isinstance(failure, kind)
    assert f"{fake.uri}/api/websocket answered HTTP {status}" in failure.message
    assert hint in failure.hint
    assert not (isinstance(failure, SourceRefused) and failure.is_login), "no token was sent"


@pytest.mark.anyio
async def test_a_supervisor_that_lets_us_in_while_its_core_is_down_is_unavailable() -> None:
    async with fake_home_assistant() as fake:
        fake.misbehave["supported_features"] = Misbehaviour.CLOSE
        failure = await failure_of_opening(fake.uri)
    assert isinstance(failure, SourceUnavailable)
    assert "closed the connection while we waited for supported_features" in failure.message


@pytest.mark.anyio
async def test_a_redirect_is_not_followed_because_the_token_would_go_with_it() -> None:
    async def redirect(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(
                f"HTTP/1.1 302 Found\r\nLocation: {fake.uri}/?secret\r\nContent-Length: 0\r\n\r\n".encode()
            )

    async with fake_home_assistant() as fake, tcp_server(redirect) as uri:
        failure = await failure_of_opening(uri)
        assert fake.connections_total == 0
    assert isinstance(failure, SourceInvalid)
    assert f"{fake.uri}/" in failure.message
    assert "secret" not in str(failure)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "greeting", [b"<html>", b'{"type":"hello"}', b'{"type":"auth_ok"}', b"[" * 2000, b"\xff"]
)
async def test_a_websocket_that_is_not_home_assistants_never_gets_the_token(greeting: bytes) -> None:
    async with fake_home_assistant() as fake:
        fake.greeting = greeting
        failure = await failure_of_opening(fake.uri)
        assert (fake.logins_failed, fake.received) == (0, [])
    assert isinstance(failure, SourceInvalid)
    assert "source.uri" in failure.hint


@pytest.mark.anyio
async def test_a_login_that_never_ends_is_given_up() -> None:
    async with fake_home_assistant() as fake:
        fake.greeting = b""
        failure = await failure_of_opening(fake.uri, timeout_seconds=SHORT_SECONDS)
        sooner = await failure_of_opening(fake.uri, opening_seconds_max=SHORT_SECONDS)
    assert (type(sooner), sooner.message) == (SourceUnavailable, failure.message)
    assert isinstance(failure, SourceUnavailable)
    assert "did not complete the login within 0.05 s" in failure.message


@pytest.mark.anyio
async def test_a_server_that_never_answers_is_given_up() -> None:
    async def listen_only(stream: SocketStream) -> None:
        async with stream:
            async for _ in stream:
                pass

    async with tcp_server(listen_only) as uri:
        failure = await failure_of_opening(uri, timeout_seconds=SHORT_SECONDS)
        sooner = await failure_of_opening(uri, opening_seconds_max=SHORT_SECONDS)
    assert (type(sooner), sooner.message) == (SourceUnavailable, failure.message)
    assert isinstance(failure, SourceUnavailable)
    assert "opening handshake within 0.05 s" in failure.message


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", SourceInvalid),
        (b"HTTP/1.0 200 OK\r\n\r\n<html></html>", SourceInvalid),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", SourceInvalid),
        (b"", SourceUnavailable),
    ],
)
async def test_another_service_on_the_port_is_recognised(said: bytes, kind: type[SourceError]) -> None:
    async def serve(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(said)

    async with tcp_server(serve) as uri:
        failure = await failure_of_opening(uri)
    assert isinstance(failure, kind)
    assert uri in failure.message


@pytest.mark.anyio
async def test_a_port_without_a_listener_is_unavailable() -> None:
    async with fake_home_assistant() as fake:
        uri = fake.uri
    failure = await failure_of_opening(uri)
    assert isinstance(failure, SourceUnavailable)
    assert failure.transient
    assert "source.uri" in failure.hint
    assert isinstance(failure.__cause__, OSError)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("said", "kind"), [(b"HTTP/1.1 400 Bad Request\r\n\r\n", SourceInvalid), (b"", SourceUnavailable)]
)
async def test_tls_to_a_server_without_tls_is_explained(said: bytes, kind: type[SourceError]) -> None:
    async def serve(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(said)

    async with tcp_server(serve) as uri:
        failure = await failure_of_opening(
            uri.replace("ws:", "wss:"), tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )
    assert isinstance(failure, kind)
    assert "use ws:// in source.uri" in failure.hint


@pytest.mark.anyio
async def test_an_unusable_uri_or_token_is_a_matter_of_settings() -> None:
    assert isinstance(await failure_of_opening("home.local:8123"), SettingsError)
    assert isinstance(await failure_of_opening("ws://home.local:8123", ""), SettingsError)


# ---------------------------------------------------------------------- what no loopback server can provoke


def test_a_name_that_cannot_be_looked_up_points_to_the_name() -> None:
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    failure = connect_failure(error, URI, 30.0)
    assert isinstance(failure, SourceUnavailable)
    assert failure.message == f"The host name in {URI} could not be looked up: Name or service not known."
    assert "multicast DNS" in failure.hint
    for uri, reported in (
        ("ws://home.example/api/websocket", "Check the name"),
        ("ws://supervisor/core/websocket", "apps"),
    ):
        assert reported in connect_failure(error, uri, 30.0).hint


@pytest.mark.parametrize(("uri", "helped"), [("ws://home.local/api/websocket", True), (URI, False)])
def test_a_refused_connection_names_the_usual_port_only_where_none_was_given(uri: str, helped: bool) -> None:
    failure = connect_failure(ConnectionRefusedError(111, "Connection refused"), uri, 30.0)
    assert isinstance(failure, SourceUnavailable)
    assert ("8123" in failure.hint) is helped


def test_an_untrusted_certificate_is_explained_with_the_setting_to_change() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    failure = connect_failure(error, "wss://home.local/api/websocket", 30.0)
    assert isinstance(failure, SourceInvalid)
    assert "self-signed certificate" in failure.message
    assert "SSL_CERT_FILE" in failure.hint


def test_a_connection_closed_before_an_answer_hints_at_tls() -> None:
    failure = connect_failure(ConnectionResetError(), URI, 30.0)
    assert isinstance(failure, SourceUnavailable)
    assert "use wss:// in source.uri" in failure.hint


def test_pings_that_stay_unanswered_are_a_lost_connection() -> None:
    ours = Close(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")
    failure = closed_failure(ConnectionClosedError(None, ours, None), URI, "nothing was asked", 1)
    assert isinstance(failure, SourceUnavailable)
    assert "keepalive ping timeout" in failure.message


@pytest.mark.parametrize("code", [CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA])
def test_a_peer_that_breaks_the_websocket_protocol_is_not_trusted(code: CloseCode) -> None:
    failure = closed_failure(
        ConnectionClosedError(None, Close(code, "bad frame"), None), URI, "we logged in", 1
    )
    assert isinstance(failure, SourceInvalid)
    assert "bad frame" in failure.message
