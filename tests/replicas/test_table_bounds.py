"""Every table of ours is bounded: a home that changes forever, with new ids all the time, fills none without end.

Whoever adds a table finds it here: if it grows with the passes, it fails, and if it grows with something else, it has to be
named below with what bounds it.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from engine.core.guards.absences import Absences
from engine.core.guards.look import Look
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.errors import ReplicaUnavailable
from engine.replicas.history.replica import open_history
from engine.replicas.history.retention import Retention
from engine.replicas.influx.outbox import open_outbox
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.replica import open_rows
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import one_pass, sql

# What bounds each table. A table that is not named here has no bound that anybody thought of.
BOUNDS = {
    **{table.name: "as many rows as Home Assistant has records" for table in TABLES.values()},
    "reconcile_meta": "a fixed set of names",
    "reconcile_applied": "a row per record and replica",
    "reconcile_absences": "a row per record that is missing, until it is back or deleted",
    "reconcile_found": "1,000 rows for each replica",
    "reconcile_tombstones": "rows.tombstone_days",
    "reconcile_changes": "rows.changes_max",
    "reconcile_runs": "rows.changes_max",
    "sqlite_sequence": "a row per numbered table",
    "meta": "a fixed set of names",
    "records": "history.keep_days and history.thin_seconds; without them it is the history, and doctor reports its growth",
    "bearers": "with records: a row per entity and name in them",
    "forgotten": "a row per record that has a revision left",
    "reconcile_outbox": "records.outbox_bytes_max",
}
HOUR, DAY = 3600.0, 86_400.0
PASSES = 54  # each an hour after the one before: two days and more


def home(number: int) -> Snapshot:
    """Things that come and go with ids of their own, one that stays and is renamed, one that flaps."""
    return snapshot(
        ENTRY,
        device(number + 100),
        entity(number + 100, device_id=device(number + 100).id),
        entity(1, entity_id=f"sensor.counted_{number}"),
        entity(2, name=f"{number % 2}"),
    )


class Stores:
    """The three files, and a clock that continues by an hour with each pass."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOON
        self.rows = open_rows(folder / "rows.db", changes_max=40, tombstone_days=1)
        self.history = open_history(
            folder / "history.db", retention=Retention(keep_days=1, thin_seconds=600), clock=lambda: self.now
        )
        self.number = 0

    def live(self, passes: int) -> None:
        for _ in range(passes):
            self.number += 1
            self.now += HOUR
            desired = home(self.number)
            gone = frozenset({Key("entity", f"gone {self.number}")})
            look = Look(self.now)
            self.rows.note_absences(Absences(begun=gone, returned=frozenset(), moot=frozenset()), look)
            self.rows.note_absences(Absences(begun=frozenset(), returned=frozenset(), moot=gone), look)
            for replica in (self.rows, self.history):
                one_pass(replica, self.rows, desired, at=self.now, run_id=f"run {self.number}")
        for replica in (self.rows, self.history):
            while not replica.tidy(is_calm=True):
                pass

    def counts(self) -> dict[str, int]:
        found = {}
        for name in ("rows.db", "history.db"):
            connection = apsw.Connection(str(self.folder / name))
            for table in tables_of(connection):
                [(count,)] = connection.execute(f'SELECT count(*) FROM "{table}"')
                assert isinstance(count, int)
                found[table] = count
            connection.close()
        return found

    def close(self) -> None:
        self.rows.close()
        self.history.close()


def tables_of(connection: apsw.Connection) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    return [str(name) for (name,) in rows]


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    with closing(Stores(tmp_path)) as made:
        yield made


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, tuple[int, int]]:
    return {
        name: (before.get(name, 0), count) for name, count in after.items() if count > before.get(name, 0)
    }


@pytest.mark.slow
def test_no_table_grows_without_end(stores: Stores) -> None:
    stores.live(PASSES)
    before = stores.counts()
    assert before["records"] > 50
    assert before["reconcile_tombstones"] > 10
    assert before["forgotten"] > 0
    stores.live(PASSES)
    after = stores.counts()
    assert grown(before, after) == {}
    assert sorted(after.keys() - BOUNDS.keys()) == [], "name what bounds it"
    assert sorted(BOUNDS.keys() - after.keys() - {"reconcile_outbox"}) == [], "no longer there"


@pytest.mark.slow
def test_a_new_table_without_a_bound_is_found(stores: Stores) -> None:
    stores.live(PASSES)
    sql(
        stores.rows.path,
        "CREATE TABLE reconcile_unbounded (a); CREATE TRIGGER t AFTER INSERT ON reconcile_runs"
        " BEGIN INSERT INTO reconcile_unbounded VALUES (1); END",
    )
    stores.live(2)
    before = stores.counts()
    stores.live(10)
    assert grown(before, stores.counts()) == {"reconcile_unbounded": (2, 12)}


@pytest.mark.slow
def test_the_files_do_not_grow_either(stores: Stores) -> None:
    stores.live(PASSES)
    before = sizes(stores.folder)
    stores.live(PASSES)
    assert {name: size <= before[name] * 1.1 for name, size in sizes(stores.folder).items()} == {
        "rows.db": True,
        "history.db": True,
    }


def sizes(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_size for name in ("rows.db", "history.db")}


def test_the_outbox_is_full_at_its_bound(tmp_path: Path) -> None:
    outbox = open_outbox("influxdb", tmp_path / "outbox.db", bytes_max=100_000)
    for _ in range(90):
        outbox.put("influxdb", b"x" * 1_000)
    with pytest.raises(ReplicaUnavailable):
        outbox.put("influxdb", b"x" * 20_000)
    assert len(outbox.pending("influxdb")) == 90
    connection = apsw.Connection(str(tmp_path / "outbox.db"))
    assert set(tables_of(connection)) - BOUNDS.keys() == set()
    connection.close()
    outbox.close()
