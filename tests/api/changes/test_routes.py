"""Pages of the change feed: every change once, what was pruned is 410, a long poll ends with the first change."""

from pathlib import Path

import anyio
import pytest

from tests.api.serving import Api, api_over, eventually, is_long_poll_waiting, write_home
from tests.homes import ENTRY, device, snapshot
from tests.replicas.passes import sql


async def write(rows: Path, number: int) -> None:
    await write_home(rows, snapshot(ENTRY, device(1, name=f"Name {number}")), f"r{number}")


async def test_pages_hold_every_change_exactly_once(api: Api) -> None:
    seqs: list[int] = []
    after = 0
    while True:
        body = await api.get(f"/api/changes?limit=50&after={after}")
        if not body["changes"]:
            break
        seqs += [c["seq"] for c in body["changes"]]
        after = body["next"]
    assert seqs == list(range(1, 206))
    assert (body["oldest"], body["next"]) == (1, 205)


async def test_a_change_is_debeziums_envelope(tmp_path: Path) -> None:
    rows = tmp_path / "rows.db"
    await write(rows, 1)
    await write(rows, 2)
    async with api_over(rows) as api:
        body = await api.get("/api/changes?registry=device")
        created, updated = body["changes"]
        assert (created["op"], created["before"], created["after"]["name"]) == ("c", None, "Name 1")
        assert updated == {
            "seq": 3,
            "op": "u",
            "registry": "device",
            "key": device(1).id,
            "before": {"effective_name": "Name 1", "name": "Name 1"},
            "after": {"effective_name": "Name 2", "name": "Name 2"},
            "ts_ms": 1795435200000,
            "source": {
                "name": "homeassistant",
                "version": "2026.11.0",
                "snapshot": False,
                "ts_ms": 1795435200000,
                "revision": 3,
            },
            "cause": "pending",
            "run_id": "r2",
        }


async def test_a_filtered_page_goes_on_behind_what_it_looked_at(api: Api) -> None:
    body = await api.get("/api/changes?registry=floor&limit=1000")
    assert {c["registry"] for c in body["changes"]} == {"floor"}
    assert body["next"] == 205


async def test_a_place_that_was_pruned_or_never_was_is_410(rows: Path) -> None:
    sql(rows, "DELETE FROM reconcile_changes WHERE seq <= 100")
    async with api_over(rows) as api:
        for after in (1, 99, 206, 9007199254740991):
            problem = await api.get(f"/api/changes?after={after}", 410)
            assert problem["type"].endswith("/cursor-expired")
            assert problem["oldest"] == 101
        assert (await api.get("/api/changes?after=100&limit=1"))["changes"][0]["seq"] == 101
        assert (await api.get("/api/changes?limit=1"))["changes"][0]["seq"] == 101


async def test_a_long_poll_ends_with_the_first_change(tmp_path: Path) -> None:
    rows = tmp_path / "rows.db"
    await write(rows, 1)
    async with api_over(rows) as api, anyio.create_task_group() as group:
        found = []

        async def poll() -> None:
            found.append(await api.get("/api/changes?after=2&wait=30&registry=device"))

        group.start_soon(poll)
        # Its own look is over too: what comes now, it learns from the feed.
        await eventually(lambda: is_long_poll_waiting(api))
        jobs = api.rows_reader.jobs
        await write(rows, 2)
        api.feed.notify()
        await eventually(lambda: bool(found))
        assert [c["seq"] for c in found[0]["changes"]] == [3]
        # One look of the feed's reader, one of the client that was woken.
        assert api.rows_reader.jobs - jobs == 2


async def test_a_long_poll_ends_when_the_service_does(api: Api) -> None:
    async with anyio.create_task_group() as group:
        found = []

        async def poll() -> None:
            found.append(await api.get("/api/changes?after=205&wait=30"))

        group.start_soon(poll)
        await anyio.wait_all_tasks_blocked()
        api.feed.close()
        await eventually(lambda: bool(found))
    assert found[0]["changes"] == []


async def test_a_head_request_does_not_wait(api: Api) -> None:
    with anyio.fail_after(25):
        assert (await api.client.head("/api/changes?after=205&wait=30")).status_code == 200


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 30, "²"])
async def test_a_resume_token_is_a_number(api: Api, last: str) -> None:
    headers = [(b"last-event-id", last.encode())]
    response = await api.client.get("/api/changes/stream", headers=headers)
    assert response.status_code == 400


async def test_the_lock_code_is_in_no_change(rows: Path) -> None:
    sql(
        rows,
        "INSERT INTO reconcile_changes (run_id, changed_at, op, registry, id, cause, before, after)"
        " VALUES ('r9', 1, 'u', 'entity', 'x', 'drift', 'no JSON', ?)",
        '{"options":{"lock":{"default_code":"1"}}}',
    )
    async with api_over(rows) as api:
        (change,) = (await api.get("/api/changes?after=205"))["changes"]
        assert (change["before"], change["after"], change["source"]["version"]) == (
            None,
            {"options": {}},
            None,
        )
