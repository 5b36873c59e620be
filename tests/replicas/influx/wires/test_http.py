"""HTTP to a scripted peer: one connection, no redirects, secrets in headers only."""

import base64
import gzip
import random
import socket
from collections.abc import Iterator

import pytest

from engine.errors import ReplicaRejected
from engine.replicas.influx.wires.address import parse_address
from engine.replicas.influx.wires.failures import InfluxUnavailable
from engine.replicas.influx.wires.http import Credentials, HttpClient, server_time
from engine.secret import Secret
from tests.fakes.influxdb import Reply, ScriptedPeer, scripted_peer


@pytest.fixture
def peer() -> Iterator[ScriptedPeer]:
    with scripted_peer() as made:
        yield made


def client_of(peer: ScriptedPeer, credentials: Credentials | None = None) -> HttpClient:
    return HttpClient(parse_address(peer.uri("v1")), credentials or Credentials(), timeout_seconds=5)


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        (Credentials(), None),
        (Credentials(token=Secret("abc")), "Token abc"),
        (
            Credentials(username="me", password=Secret("p w:ü")),
            f"Basic {base64.b64encode('me:p w:ü'.encode()).decode()}",
        ),
        (Credentials(token=Secret("abc"), username="me"), "Token abc"),
    ],
)
def test_credentials_travel_in_a_header(
    peer: ScriptedPeer, credentials: Credentials, header: str | None
) -> None:
    client = client_of(peer, credentials)
    client.request("ask", "GET", "/x").body()
    client.close()
    assert peer.requests[0].headers.get("authorization") == header


def test_one_connection_serves_many_requests_also_after_an_unread_answer(peer: ScriptedPeer) -> None:
    client = client_of(peer)
    peer.say("/x", Reply(status=200, chunks=(b"ab", b"cd")))
    assert client.request("ask", "GET", "/x").body() == b"abcd"
    pieces = client.request("ask", "GET", "/x").pieces()
    assert next(pieces)
    assert client.request("ask", "POST", "/x", body=b"y").body() == b"abcd"
    client.close()


def test_a_kept_connection_that_the_server_closed_is_opened_again(peer: ScriptedPeer) -> None:
    client = client_of(peer)
    peer.say("/x", Reply(), Reply(is_silent=True), Reply(status=200, body=b"again"))
    client.request("ask", "GET", "/x").body()
    assert client.request("ask", "GET", "/x").body() == b"again"
    client.close()


def test_a_new_connection_that_is_closed_without_an_answer_is_an_error(peer: ScriptedPeer) -> None:
    peer.say("/x", Reply(is_silent=True))
    client = client_of(peer)
    with pytest.raises(InfluxUnavailable, match=r"Cannot ask influxdb://127\.0\.0\.1:.*broke"):
        client.request("ask", "GET", "/x")
    client.close()
    assert len(peer.requests) == 1


def test_redirects_are_not_followed(peer: ScriptedPeer) -> None:
    client = client_of(peer, Credentials(token=Secret("abc")))
    peer.say("/x", Reply(status=302, headers={"Location": "http://127.0.0.1:1/steal"}))
    answer = client.request("ask", "GET", "/x")
    assert answer.status == 302
    with pytest.raises(ReplicaRejected, match="login page"):
        client.expect("ask", answer, 200)
    client.close()


def test_the_servers_clock_is_read() -> None:
    assert server_time({"date": "Mon, 23 Nov 2026 12:00:00 GMT"}) == 1_795_435_200
    assert server_time({"date": "yesterday"}) is None
    assert server_time({}) is None


def test_a_reset_while_connecting_is_unavailable(peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    def reset(*_: object, **__: object) -> socket.socket:
        raise ConnectionResetError

    client = client_of(peer)
    monkeypatch.setattr(socket, "create_connection", reset)
    with pytest.raises(InfluxUnavailable, match="the connection broke"):
        client.request("write to", "POST", "/write", body=b"m f=1i 5")
    monkeypatch.undo()
    client.request("ask", "GET", "/x").body()
    client.close()


def test_a_packed_answer_is_unpacked_to_its_proven_end(peer: ScriptedPeer) -> None:
    plain = random.Random(5).randbytes(300_000) + bytes(5_000_000)
    sent = gzip.compress(plain)
    packed = {"Content-Encoding": "gzip"}
    client = client_of(peer)
    peer.say("/x", Reply(status=200, headers=packed, chunks=(sent[:1000], sent[1000:])))
    assert client.request("ask", "GET", "/x").body() == plain
    assert peer.requests[0].headers["accept-encoding"] == "gzip"
    for cut in (sent[:-9], sent[:5], b"", b"no gzip"):
        peer.say("/x", Reply(status=200, headers=packed, chunks=(cut or b"\x1f",)))
        with pytest.raises(InfluxUnavailable, match="not complete"):
            client.request("ask", "GET", "/x").body()
    peer.say("/x", Reply(status=400, headers=packed, body=gzip.compress(b"told")))
    assert client.request("ask", "GET", "/x").body() == b"told"
    client.close()


def test_lines_are_packed_and_forms_are_not(peer: ScriptedPeer) -> None:
    client = client_of(peer)
    line = b"m f=1i 5\n" * 1000
    client.request("write to", "POST", "/x", body=line).body()
    client.request("read", "POST", "/x", body=line, content_type="application/x-www-form-urlencoded").body()
    client.close()
    written, asked = peer.requests
    assert (written.headers["content-encoding"], gzip.decompress(written.body)) == ("gzip", line)
    assert ("content-encoding" in asked.headers, asked.body) == (False, line)
