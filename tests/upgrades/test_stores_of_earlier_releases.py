"""Stores that an earlier release wrote are opened, continued and brought up to date, and nothing in them is lost."""

import gzip
import json
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.replicas.history import schema
from engine.replicas.influx.outbox import open_outbox
from tests.commandline.homes import DATA, RICH
from tests.commandline.in_process import Reconcile

RELEASES = sorted(DATA.parent.glob("stores-*"))
STORES = ("--rows", "rows.db", "--records", "history:history.db")


@pytest.fixture(params=RELEASES, ids=lambda folder: folder.name)
def stores(request: pytest.FixtureRequest, nobodys_machine: Path) -> Path:
    """A folder with the stores of one release."""
    for packed in request.param.glob("*.gz"):
        (nobodys_machine / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    return nobodys_machine


def query(path: Path, statement: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_there_are_stores_to_open() -> None:
    assert [folder.name for folder in RELEASES] == ["stores-0.1.0", "stores-0.2.0"]


def test_a_pass_continues_where_the_earlier_release_stopped(stores: Path, reconcile: Reconcile) -> None:
    revisions = "SELECT registry, id, rev, hash, payload FROM records ORDER BY at_ns"
    before = query(stores / "history.db", revisions)
    code, out, _ = reconcile("--json", "--source", f"capture:{RICH}", *STORES)
    assert (code, json.loads(out)["status"]) == (0, "in_sync")
    after = query(stores / "history.db", revisions)
    assert after[: len(before)] == before, "what was recorded stays as it was recorded"
    # The one change is the name that was different; content hashes are those of the earlier release.
    assert [row[:2] for row in after[len(before) :]] == [("area", "living_room")]
    assert query(stores / "rows.db", "SELECT name FROM areas WHERE area_id = 'living_room'") == [
        ("Living Room",)
    ]
    assert query(stores / "rows.db", "SELECT count(*) FROM areas WHERE area_id = 'garten'") == [(1,)]
    code, out, _ = reconcile("--source", f"capture:{RICH}", *STORES)
    assert (code, out.split(":")[0]) == (0, "Nothing to do")


def test_the_change_feed_continues_without_a_gap(stores: Path, reconcile: Reconcile) -> None:
    [(newest,)] = query(stores / "rows.db", "SELECT max(seq) FROM reconcile_changes")
    reconcile("--source", f"capture:{RICH}", *STORES)
    numbers = [n for (n,) in query(stores / "rows.db", "SELECT seq FROM reconcile_changes ORDER BY seq")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > newest


def test_history_of_the_earlier_release_is_reported(stores: Path, reconcile: Reconcile) -> None:
    reconcile("--source", f"capture:{RICH}", *STORES)
    code, out, _ = reconcile("history", "living_room", *STORES)
    assert code == 0
    assert "Old kitchen name" in out


def test_a_batch_that_was_not_confirmed_is_still_there_to_send(stores: Path) -> None:
    outbox = open_outbox("influxdb", stores / "outbox.db")
    assert [body for _, body in outbox.pending("influxdb")] == [b'ha_device,id=x hash="h1:0" 1\n']
    outbox.close()


def test_a_compacted_history_of_the_earlier_release_is_refused_by_that_release(
    stores: Path, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconcile("--source", f"capture:{RICH}", *STORES)
    assert query(stores / "history.db", "SELECT value FROM meta WHERE name = 'schema_version'") == [(1,)], (
        "until it forgets, the earlier release can still use it"
    )
    newest = "SELECT registry, id, hash FROM records GROUP BY registry, id HAVING max(at_ns) AND hash <> '-'"
    before = query(stores / "history.db", newest)
    code, out, _ = reconcile("history", "compact", "--before", now_text(), *STORES)
    assert (code, out.startswith("Forgot ")) == (0, True)
    assert query(stores / "history.db", newest) == before
    code, out, _ = reconcile("--source", f"capture:{RICH}", *STORES)
    assert (code, out.split(":")[0]) == (0, "Nothing to do")
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 1)
    content = (stores / "history.db").read_bytes()
    code, _, err = reconcile("--source", f"capture:{RICH}", *STORES)
    assert code == 1
    assert "schema version 2, and this program knows 1" in err
    assert "Update this program, or move the file away to begin a new history" in err
    assert (stores / "history.db").read_bytes() == content


def now_text() -> str:
    return datetime.fromtimestamp(int(time.time()) - 1, UTC).isoformat()


@pytest.mark.parametrize("store", ["rows.db", "history.db"])
def test_a_store_of_a_later_release_is_refused_with_the_next_step(
    stores: Path, reconcile: Reconcile, store: str
) -> None:
    table = "reconcile_meta" if store == "rows.db" else "meta"
    connection = sqlite3.connect(stores / store)
    connection.execute(f"UPDATE {table} SET value = 99 WHERE name = 'schema_version'")
    connection.commit()
    connection.close()
    before = (stores / store).read_bytes()
    code, _, err = reconcile("--source", f"capture:{RICH}", *STORES)
    assert code == 1
    assert "schema version 99" in err
    assert "Update this program" in err
    assert (stores / store).read_bytes() == before
