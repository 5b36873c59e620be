"""The stream as an ASGI application; its behaviour on sockets is tested with the server."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from api.changes.stream import EventStream, StreamStart
from engine.errors import ReplicaUnavailable
from engine.replicas.rows.queries.read_transactions import RowsTransaction
from tests.api.serving import Api, api_over, eventually
from tests.replicas.passes import sql


async def start(api: Api, place: StreamStart, group: anyio.abc.TaskGroup) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await anyio.sleep_forever()

    stream = EventStream(api.feed, api.rows_reader, place)
    group.start_soon(stream, {"type": "http", "method": "GET", "path": "/s"}, receive, send)
    await eventually(lambda: len(sent) >= 2 or bool(sent and sent[0]["status"] != 200))
    return sent


@pytest.mark.parametrize(("seq", "expected"), [(None, []), (205, []), (203, [204, 205])])
async def test_it_begins_behind_its_place(api: Api, seq: int | None, expected: list[int]) -> None:
    async with anyio.create_task_group() as group:
        sent = await start(api, StreamStart(seq, None), group)
        await eventually(lambda: len(sent) >= 2 + len(expected))
        ids = [int(m["body"].split(b"\n")[0].removeprefix(b"id: ")) for m in sent[2:]]
        assert ids == expected
        api.feed.close()
    assert sent[-1] == {"type": "http.response.body", "body": b"event: bye\ndata: {}\n\n", "more_body": False}


async def test_a_long_absence_is_read_in_batches(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.changes.stream._RESUME_BATCH", 7)
    async with anyio.create_task_group() as group:
        sent = await start(api, StreamStart(0, None), group)
        await eventually(lambda: len(sent) >= 2 + 205)
        api.feed.close()
    assert len(sent) == 2 + 205 + 1


async def test_no_place_is_a_problem(api: Api) -> None:
    api.feed.close()
    async with anyio.create_task_group() as group:
        sent = await start(api, StreamStart(None, None), group)
    assert sent[0]["status"] == 503


async def test_changes_that_a_client_has_read_from_the_store_are_not_sent_again(rows: Path) -> None:
    async with api_over(rows) as api, anyio.create_task_group() as group:
        for _ in range(3):  # committed, and not yet noticed
            sql(
                rows,
                "INSERT INTO reconcile_changes (run_id, changed_at, op, registry, id, cause)"
                " VALUES ('r', 1, 'u', 'area', 'a', 'drift')",
            )
        sent = await start(api, StreamStart(207, None), group)
        api.feed.notify()
        await eventually(lambda: len(sent) == 3)
        assert sent[2]["body"].startswith(b"id: 208\n")
        api.feed.close()


async def test_a_store_that_fails_while_resuming_ends_the_stream(
    rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.changes.stream._RESUME_BATCH", 7)
    batches = 0
    changes = RowsTransaction.changes

    def failing(self: RowsTransaction, *arguments: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches > 3:
            raise ReplicaUnavailable("sqlite", "The disk is gone.")
        return changes(self, *arguments)

    async with api_over(rows) as api, anyio.create_task_group() as group:
        monkeypatch.setattr(RowsTransaction, "changes", failing)
        sent = await start(api, StreamStart(0, None), group)
        await eventually(lambda: sent[-1] == {"type": "http.response.body"})
        await eventually(lambda: api.feed.streams == 0)
        assert len(sent) == 2 + 3 * 7 + 1
