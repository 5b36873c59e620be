"""The stream of changes of all homes on the wire."""

import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from api.fleet.ports import ViewedChange
from api.fleet.stream import ID_PATTERN, ViewStream
from api.sites.ports import SiteChange
from engine.errors import ReplicaUnavailable
from tests.api.fleet.views import MemoryChanges, MemoryView, asking

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

CHANGE = ViewedChange("0-7", SiteChange("a", "kafka", "device", "d1", "<b>", "pending", "applied", "run"))


async def streamed(view: MemoryView, last_id: str = "", method: str = "GET") -> str:
    """All that is sent until the stream ends."""
    sent = list[bytes]()

    async def receive() -> dict[str, str]:
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(bytes(message.get("body", b"")))

    with anyio.fail_after(600):
        await ViewStream(view, last_id)({"type": "http", "method": method}, receive, send)
    return b"".join(sent).decode()


async def test_changes_come_with_the_place_behind_them(tmp_path: Path) -> None:
    view = MemoryView(tmp_path)
    view.feed = MemoryChanges([CHANGE], [])
    text = await streamed(view, "0-6")
    assert view.feed.asked == ["0-6"]
    assert "id: 0-7\nevent: change\ndata: {" in text
    assert '"site":"a"' in text
    assert text.endswith("event: bye\ndata: {}\n\n")
    assert re.fullmatch(ID_PATTERN, CHANGE.id)


async def test_a_lost_place_sends_a_reset(tmp_path: Path) -> None:
    view = MemoryView(tmp_path)
    view.feed = MemoryChanges(has_place=False)
    assert "event: reset" in await streamed(view)
    view.feed = MemoryChanges(None, [CHANGE])
    text = await streamed(view)
    assert text.index("event: reset") < text.index("id: 0-7")


async def test_a_quiet_stream_is_kept_alive(tmp_path: Path) -> None:
    view = MemoryView(tmp_path)
    view.feed = MemoryChanges(*([] for _ in range(40)))
    assert (await streamed(view)).count(": keep-alive") == 2


async def test_a_kafka_that_is_lost_ends_the_stream_so_that_the_client_comes_back(tmp_path: Path) -> None:
    view = MemoryView(tmp_path)
    view.feed = MemoryChanges([CHANGE], ReplicaUnavailable("kafka", "Kafka is away."))
    text = await streamed(view)
    assert "id: 0-7" in text
    assert "event: bye" not in text


async def test_a_head_request_opens_no_stream(tmp_path: Path) -> None:
    view = MemoryView(tmp_path)
    assert await streamed(view, method="HEAD") == ""
    assert view.feed.asked == []


async def test_the_id_is_taken_from_the_request_and_documented(tmp_path: Path) -> None:
    view = MemoryView(tmp_path)
    async with asking(view) as client:
        answer = await client.get("/api/fleet/changes/stream", headers={"last-event-id": "1-2"})
        assert answer.headers["content-type"].startswith("text/event-stream")
        document = (await client.get("/openapi.json")).json()
    assert view.feed.asked == ["1-2"]
    parameters = document["paths"]["/api/fleet/changes/stream"]["get"]["parameters"]
    assert parameters[-1]["schema"]["pattern"] == ID_PATTERN
