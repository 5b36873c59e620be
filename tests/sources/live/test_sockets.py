"""The socket: a host that is down is given up soon, and a farewell ends it."""

import asyncio
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from engine.errors import SourceUnavailable
from engine.sources.live import sockets as ha_socket
from engine.sources.live.connection import open_connection
from tests.fakes.home_assistant import TOKEN
from tests.fakes.tcp_server import tcp_server

pytestmark = pytest.mark.anyio


async def test_a_host_that_is_down_is_given_up_before_it_could_be_back_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang(*_: object, **_options: object) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", hang)
    monkeypatch.setattr(ha_socket, "_CONNECT_SECONDS", 0.05)
    with pytest.raises(
        SourceUnavailable, match=r"Could not connect to ws://home.local:8123.*: nothing answered"
    ):
        async with open_connection("ws://home.local:8123", TOKEN):
            pass


def test_the_trusted_authorities_are_read_once_and_again_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ha_socket.trusted_authorities()
    assert ha_socket.trusted_authorities() is first
    (tmp_path / "more.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "more.pem"))
    assert ha_socket.trusted_authorities() is not first


async def test_a_close_frame_is_followed_at_once_though_the_server_keeps_the_connection() -> None:
    hung_up = anyio.Event()
    conversation = [
        b'{"type":"auth_required","ha_version":"2026.11.0"}',
        b'{"type":"auth_ok","ha_version":"2026.11.0"}',
        b'{"id":1,"type":"result","success":true,"result":null}',
    ]

    async def serve(stream: SocketStream) -> None:
        async with stream:
            websocket = ServerProtocol()
            websocket.receive_data(await stream.receive())
            (request,) = websocket.events_received()
            assert isinstance(request, Request)
            websocket.send_response(websocket.accept(request))
            for text in conversation:
                websocket.send_text(text)
                await stream.send(b"".join(websocket.data_to_send()))
                await stream.receive()
            # Not through the machine, which would end the connection itself as a server should.
            await stream.send(Frame(Opcode.CLOSE, Close(1000, "").serialize()).serialize(mask=False))
            async for _ in stream:
                pass
            hung_up.set()

    async with tcp_server(serve) as uri, open_connection(uri, TOKEN) as connection:
        with anyio.fail_after(60):
            with pytest.raises(SourceUnavailable, match="close code 1000"):
                await connection.command("config/area_registry/list")
            await hung_up.wait()
