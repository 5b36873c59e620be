"""The API: access, headers of every answer, and that no request can change a byte."""

import hashlib
import hmac
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import apsw
import msgspec
import pytest

import api.http.auth
from api.app import ROUTES
from api.http.auth import OPEN_PATHS, AccessRules
from engine.core.state.report import Report
from engine.errors import ReplicaError
from engine.replicas.rows.queries.read_transactions import RowsTransaction
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader
from tests.api.http.test_server import Served, server_over
from tests.api.serving import Api, api_over, no_metrics, write_sample

TOKEN = "s3cret-of-the-api"
PATHS = tuple(route.path for route in ROUTES)
EVIL = (
    "'; DROP TABLE devices; --",
    '" OR 1=1 --',
    "x') UNION SELECT sql FROM sqlite_schema --",
    "\0",
    "%",
    "_" * 250,
    "../../etc/passwd",
    "${x}",
    "\u202eevil\n\r\x1b[2J",
    "\U0010ffff",
)

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    path = tmp_path_factory.mktemp("sample") / "rows.db"
    return path, anyio.run(write_sample, path)


@pytest.fixture
def filled(sample: tuple[Path, Report], tmp_path: Path) -> tuple[Path, Report]:
    """A copy of the sample's rows, and the report of the pass that wrote them."""
    return Path(shutil.copy(sample[0], tmp_path / "rows.db")), sample[1]


@pytest.fixture
async def guarded(filled: tuple[Path, Report]) -> AsyncIterator[Api]:
    access = AccessRules(token=TOKEN)
    async with api_over(*filled, access=access, metrics=no_metrics) as api:
        yield api


def digests(folder: Path) -> dict[str, str]:
    """The content of every file that holds data; the shared memory of locks changes with every reader."""
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.iterdir()
        if not p.name.endswith("-shm") and p.stat().st_size
    }


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer \xff\xfe",
        "Bearer \u00e9\u4e2d".encode(),
        b"Bearer " + b"x" * 60_000,
        b"Bearer " + TOKEN[:-1].encode(),
        b"Bearer " + TOKEN.encode() + b"x",
        b"Bearer " + TOKEN.upper().encode(),
        b"Basic " + TOKEN.encode(),
        b"Bearer\t" + TOKEN.encode(),
        TOKEN.encode(),
        b"bearer bearer " + TOKEN.encode(),
    ],
)
async def test_a_token_of_any_other_shape_is_401(guarded: Api, header: bytes) -> None:
    response = await guarded.client.get("/api/status", headers=[(b"authorization", header)])
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in response.text


async def test_two_authorizations_are_none(guarded: Api) -> None:
    pair = (b"authorization", f"Bearer {TOKEN}".encode())
    assert (await guarded.client.get("/api/status", headers=[pair])).status_code == 200
    assert (await guarded.client.get("/api/status", headers=[pair, pair])).status_code == 401


async def test_tokens_are_compared_in_constant_time(guarded: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return hmac.compare_digest(left, right)

    monkeypatch.setattr(api.http.auth, "hmac", type("Hmac", (), {"compare_digest": staticmethod(compare)}))
    for token in (b"", b"short", b"\xff", TOKEN.encode()):
        await guarded.client.get("/api/status", headers=[(b"authorization", b"Bearer " + token)])
    assert compared == [(token, TOKEN.encode()) for token in (b"", b"short", b"\xff", TOKEN.encode())]
    # And nothing else decides: what it finds equal is let in.
    monkeypatch.setattr(
        api.http.auth, "hmac", type("Hmac", (), {"compare_digest": staticmethod(lambda *_: True)})
    )
    response = await guarded.client.get("/api/status", headers={"authorization": "Bearer wrong"})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "path", [*PATHS, "/metrics", "/openapi.json", "/nothing", "//api/status", "/healthz/"]
)
async def test_every_path_but_the_open_one_wants_the_token(guarded: Api, path: str) -> None:
    status = (await guarded.client.get(path)).status_code
    assert status == (200 if path in OPEN_PATHS else 401)


async def test_the_application_does_not_print_its_token(guarded: Api) -> None:
    parts: list[Any] = [guarded.app, guarded.context, *guarded.app.user_middleware, guarded.app.router]
    assert TOKEN not in "".join(map(repr, parts))


@pytest.mark.slow
async def test_no_request_changes_a_byte(filled: tuple[Path, Report], tmp_path: Path) -> None:
    async with api_over(*filled) as api:
        before = digests(tmp_path)
        for route in ROUTES:
            for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE"):
                response = await api.client.request(method, route.path, content=b'{"name": "evil"}')
                assert response.status_code == 405
            if route.path.endswith("/stream"):
                continue  # ends only with the client
            names = [f.name for f in msgspec.structs.fields(route.query)]
            for evil in EVIL:
                path = route.path
                for name in ("id", "replica", "registry", "key"):
                    path = path.replace(f"{{{name}}}", quote(evil, safe="")).replace(
                        f"{{{name}:path}}", quote(evil)
                    )
                urls = [path, *(f"{path}?{name}={quote(evil)}" for name in names if name != "wait")]
                for url in urls:
                    assert (await api.client.get(url)).status_code in (200, 400, 404, 501), url
        assert digests(tmp_path) == before
        assert (await api.get("/api/devices"))["total"] == 72


async def test_the_connection_behind_the_api_cannot_write(
    filled: tuple[Path, Report], tmp_path: Path
) -> None:
    rows_reader = SqliteRowsReader(filled[0])
    before = digests(tmp_path)

    def attempt(statements: tuple[str, ...]) -> Any:
        def job(transaction: RowsTransaction) -> None:
            for statement in statements:
                transaction._connection.execute(statement)

        return job

    attempts = (
        ("DELETE FROM devices",),
        ("UPDATE devices SET name = 'evil'",),
        ("CREATE TABLE evil (a)",),
        ("PRAGMA query_only = 0", "DELETE FROM devices"),
        ("PRAGMA writable_schema = 1", "DELETE FROM sqlite_schema"),
        ("COMMIT", f"ATTACH '{tmp_path / 'evil.db'}' AS evil", "CREATE TABLE evil.t (a)"),
        ("SELECT load_extension('evil')",),
    )
    for statements in attempts:
        with pytest.raises(ReplicaError):
            await rows_reader.read(attempt(statements))
    await rows_reader.aclose()
    assert digests(tmp_path) == before
    with apsw.Connection(str(filled[0])) as connection:
        assert connection.execute("SELECT count(*) FROM devices").fetchall() == [(72,)]


async def test_security_headers_are_once_on_every_answer(filled: tuple[Path, Report]) -> None:
    async with server_over(*filled) as served:
        answers = {
            path: await reported(served, f"GET {path} HTTP/1.1")
            for path in ("/api/devices", "/none", "/healthz")
        }
        answers["HEAD"] = await reported(served, "HEAD /api/devices HTTP/1.1")
        answers["POST"] = await reported(served, "POST /api/devices HTTP/1.1")
        answers["query"] = await reported(served, "GET /api/devices?x=1 HTTP/1.1")
        answers["no HTTP"] = await reported(served, "no HTTP at all")
        del served.api.status  # any error of our own
        answers["500"] = await reported(served, "GET /api/status HTTP/1.1")
    assert [answers[name].split()[1] for name in ("/api/devices", "/none", "no HTTP", "500")] == [
        "200",
        "404",
        "400",
        "500",
    ]
    for name, answer in answers.items():
        head = answer.partition("\r\n\r\n")[0].lower()
        assert head.count("\r\nx-content-type-options: nosniff") == 1, name
        assert head.count("\r\ncontent-security-policy: default-src 'self'; base-uri 'none'; ") == 1, name
        assert "access-control-allow-origin" not in head, name


async def reported(served: Served, first_line: str) -> str:
    """The whole answer to one request on a connection of its own."""
    import anyio

    async with await anyio.connect_tcp("127.0.0.1", served.port) as stream:
        await stream.send(f"{first_line}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        text = b""
        with anyio.fail_after(30):
            try:
                while True:
                    text += await stream.receive()
            except anyio.EndOfStream:
                return text.decode("utf-8", "replace")
