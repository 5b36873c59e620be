"""Every SQL statement, on filled files: none reads a whole table once per key.

A statement that runs about as often as there are keys may not scan a table, and within one statement no table may
be scanned for each row of another. Either makes a removal of 10,000 records take minutes.
"""

from pathlib import Path

import anyio
import apsw
import pytest

from api.fleet.queries import ViewedDevicesQuery, ViewedModelsQuery, ViewedSitesQuery
from engine.core.compare.diff import Kind
from engine.core.guards.absences import Absences
from engine.core.guards.look import FirstSeen, Look
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.fleet_view.view_file.reading import ViewReader
from engine.replicas.history import housekeeping, reading
from engine.replicas.history.replica import HistoryFile, open_history
from engine.replicas.history.retention import Retention
from engine.replicas.influx.outbox import open_outbox
from engine.replicas.rows.queries.conditions import FILTERS
from engine.replicas.rows.queries.read_transactions import RowsTransaction
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader
from engine.replicas.rows.replica import NAME, SqliteRows, open_rows
from engine.replicas.rows.snapshots.backup import take_snapshot
from engine.replicas.rows.snapshots.restore import restore_rows
from tests.fleet_view.viewed import (
    IDENTITY,
    gone_device,
    opened,
    removed_site,
    said_device,
    said_site,
    send,
)
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import plan_of, run_of, sql
from tests.replicas.statements import never_ran, scans, statements_of_this_process

KEYS = 60
DAY = 86_400.0
# Not once per key.
ONCE = (
    "SELECT DISTINCT id FROM records WHERE registry = 'entity'",  # a lookup while names are still read in
    "INSERT INTO bearers SELECT {}",  # as many revisions as a step has, found by their time
    "INSERT OR REPLACE INTO {} ({})",  # fills a table in memory
)


def home(names: str, keys: range = range(1, KEYS)) -> list[object]:
    return [
        ENTRY,
        *(device(n, name=f"{names} {n}") for n in keys),
        *(entity(n, device_id=device(n).id) for n in keys),
    ]


def read_everything(path: Path) -> None:
    async def read() -> None:
        rows_reader = SqliteRowsReader(path)
        await rows_reader.read(ask)
        rows_reader.data_version()
        await rows_reader.aclose()

    anyio.run(read)


def ask(transaction: RowsTransaction) -> None:
    for registry in ("device", "entity", "area", "floor", "label", "config_entry"):
        transaction.page(registry, (), (), "", 1000)
        transaction.count(registry, ())
    for n in range(1, KEYS):
        transaction.row("device", ("name",), device(n).id)
        transaction.row("entity", ("id",), entity(n).entity_id)
        transaction.rows("entity", ("id",), [entity(n).id])
        transaction.changes(n, 1)
        transaction.changes(n, 1, "device")
        transaction.run(f"run {n}")
        transaction.runs(f"run {n}", 1)
    for registry, name in FILTERS:
        value = name in ("has_aliases", "disabled", "has_device") or (
            "[]" if name in ("among", "not_among", "keyed") else "x"
        )
        transaction.page(registry, (), ((name, value),), "", 1)
        transaction.count(registry, ((name, value),))
    transaction.former("entity", "sensor.s1")  # one look through the feed, for a name that no row has
    for registry in ("device", "entity"):
        transaction.found(registry, ("a",))
        transaction.keyed(registry, (), ["x"])
    transaction.feed_bounds()
    transaction.change_counts(0, 0.0, 60)


def use_everything(folder: Path) -> None:
    """Passes over both replicas that create, change, rename, swap, remove and bring back many records; then every reader."""
    rows, history = open_rows(folder / "rows.db"), open_history(folder / "history.db")
    outbox = open_outbox("influxdb", folder / "outbox.db")
    records = snapshot(*home("a"))  # type: ignore[arg-type]
    renamed = snapshot(*home("b", range(1, KEYS)), entity(KEYS, entity_id="sensor.new"))  # type: ignore[arg-type]
    swapped = snapshot(ENTRY, *(entity(n, entity_id=f"sensor.s{n % (KEYS - 1) + 1}") for n in range(1, KEYS)))
    for at, desired in enumerate((records, renamed, swapped, records, snapshot(ENTRY))):
        for replica in (rows, history):
            keys = sorted(desired.home.records)
            plan = plan_of(replica, rows, desired)
            replica.read(keys)
            replica.digest()
            replica.apply(plan.operations, run_of(replica, desired, NOON + at, f"run {at}"))
            rows.record_applied("influxdb", [(key, "v") for key in keys], NOON)
            replica.digest()
            rows.ledger_digest(replica.name)
            rows.make_secret()
        for key in keys:
            history.timeline(key)
            rows.last_change(key)
            rows.tombstone(key)
            rows.changes(at, 1)
        gone = frozenset(Key("entity", f"gone {n}") for n in range(KEYS)) | frozenset(keys)
        rows.note_absences(Absences(begun=gone, returned=frozenset(), moot=frozenset()), Look(NOON))
        rows.note_absences(Absences(begun=frozenset(), returned=frozenset(), moot=gone), Look(NOON))
        rows.known_ids(gone)
        rows.absences()
        history.as_of(NOON + at)
        history.edge(NOON + at)
        for registry, asked in (("device", "a"), ("entity", "sensor.new")):
            history.as_of_record(NOON + at, registry, asked)
        history.holders("sensor.new")
        outbox.drop(outbox.put("influxdb", b"batch"))
        outbox.pending("influxdb")
        note_what_is_remembered(rows, history, desired)
    history.close()
    forget_much(folder / "history.db")
    for it in (rows, history, outbox):
        it.close()
    read_everything(folder / "rows.db")
    take_snapshot(folder / "rows.db", folder / "kept.db")
    restore_rows(folder / "kept.db", folder / "rows.db", NOON)


def note_what_is_remembered(rows: SqliteRows, history: HistoryFile, desired: Snapshot) -> None:
    """All that ledger and history keep beside the records, once for each record where they keep it so."""
    first = {
        (NAME, *key, kind): FirstSeen("v", Look(NOON))
        for key in desired.home.records
        for kind in (Kind.STALE,)
    }
    rows.note_found(NAME, first)
    assert rows.found(NAME) == first
    rows.category_scopes()
    rows.secret()
    rows.record_applied("influxdb", (), NOON, place="somewhere")
    rows.place("influxdb")
    for store in (rows, history):
        store.home()
        store.remember_home(frozenset({ENTRY.entry_id}))
    for n in range(1, KEYS):
        history.holders(f"sensor.former{n}")
        history.newest(device(n).key, 2, before=2)
        history.timeline(device(n).key, after=1, limit=1)
    history.keep_order({}, run_of(history, desired, NOON, "run"))
    history.order()
    history.delays(NOON)


def view_a_fleet(folder: Path) -> None:
    """Homes and devices of a fleet that come, change and go, and every question about them."""
    store = opened(folder)
    homes = [f"home{n}" for n in range(1, KEYS)]
    for name in ("Lamp", "Plug"):
        send(store, *(said_device(home, "d1", name, model=f"{name} {home}") for home in homes))
        send(store, said_device("home1", "d2", model="Hub"), said_device("home2", "d2", model="HUB"))
        send(store, *(said_site(home, tags=("west",)) for home in homes))
        store.close()  # the next ones begin with what is in the file
        store.begin(IDENTITY)
    reader = ViewReader(folder / "view.db")
    for words in (
        {},
        {"q": "plug"},
        {"q": "plug", "tag": "west"},
        {"site": "home1"},
        {"model": "Plug home2", "sw_version": "1"},
    ):
        with reader.transaction() as transaction:
            _, after = transaction.devices(ViewedDevicesQuery(limit=1, **words))
            transaction.devices(ViewedDevicesQuery(after=after or "", **words))  # type: ignore[arg-type]
    with reader.transaction() as transaction:
        transaction.models(ViewedModelsQuery())
        transaction.models(ViewedModelsQuery(tag="west"))
        transaction.sites(ViewedSitesQuery(), NOON)
        transaction.named_sites(homes, NOON)
        transaction.counts(ViewedSitesQuery(), NOON)
        transaction.tags()
        transaction.count_devices()
        transaction.oddities()
    send(
        store, *(gone_device(home, "d1") for home in homes), *(removed_site(home) for home in homes), at=NOON
    )
    store.as_of(IDENTITY.prefix, IDENTITY.partitions)
    reader.close()
    store.close()


def forget_much(path: Path) -> None:
    """Both ways, over more steps than there are keys."""
    history = open_history(path, retention=Retention(thin_seconds=2), clock=lambda: NOON + DAY)
    step, housekeeping._REVISIONS_A_STEP = housekeeping._REVISIONS_A_STEP, 5
    counted, reading.COUNTED_MAX = reading.COUNTED_MAX, 1
    try:
        for n in range(1, KEYS):
            history.count(device(n).key)
        for before in (None, NOON + 10):
            plan = history.housekeeper.plan(before_ns=None if before is None else int(before * 1e9))
            assert sum(history.housekeeper.steps(plan)) > KEYS
    finally:
        housekeeping._REVISIONS_A_STEP = step
        reading.COUNTED_MAX = counted
    for n in range(1, KEYS):
        history.forgotten(device(n).key)
        history.count(device(n).key)
    history.close()


@pytest.mark.slow
def test_no_statement_reads_a_whole_table_once_per_key(tmp_path: Path) -> None:
    with statements_of_this_process() as ran:
        use_everything(tmp_path)
        view_a_fleet(tmp_path)
    faults = []
    for (name, statement), times in ran.items():
        file = name or str(tmp_path / "rows.db")  # a copy in memory is one of the rows file
        if not Path(file).is_file() or statement.split()[0] not in (
            "SELECT",
            "WITH",
            "INSERT",
            "UPDATE",
            "DELETE",
        ):
            continue
        connection = apsw.Connection(file, flags=apsw.SQLITE_OPEN_READONLY)
        whole, repeated = scans(connection, statement)
        connection.close()
        if repeated or (whole and times >= KEYS // 2):
            faults.append((times, whole, statement))
    assert faults == []
    seen = {Path(file).name for file, _ in ran}
    assert {"rows.db", "history.db", "outbox.db", "view.db"} <= seen, "the run looked at every file"


@pytest.mark.slow
def test_no_statement_is_left_out(tmp_path: Path) -> None:
    """What the run above did not come to is looked at as it is in its module."""
    with statements_of_this_process() as ran:
        use_everything(tmp_path)
        view_a_fleet(tmp_path)
    engine = Path(__file__).parents[2] / "engine"
    folders = [engine / "replicas" / name for name in ("rows", "history", "sqlite_file")]
    left = never_ran([*folders, engine / "fleet_view" / "view_file"], (statement for _, statement in ran))
    files = [tmp_path / name for name in ("rows.db", "history.db", "view.db")]
    assert [it for it in left if not it[1].startswith(ONCE) and reads_whole(it[1], files)] == []


def reads_whole(statement: str, files: list[Path]) -> bool:
    """Whether a statement reads a table whole, in the file that has its tables; True of what is none by itself."""
    for file in files:
        connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return scans(connection, statement) != ([], [])
        except apsw.SQLError:
            continue  # the tables of another file, or a piece of a statement
        finally:
            connection.close()
    return True


@pytest.mark.parametrize(
    ("statement", "repeated"),
    [
        ("SELECT * FROM big WHERE b = ?", False),
        ("SELECT * FROM small WHERE EXISTS (SELECT 1 FROM big WHERE big.b = small.a)", True),
        ("SELECT (SELECT count(*) FROM big AS it WHERE it.b + small.a = 1) FROM small", True),
        ("SELECT * FROM small CROSS JOIN big ON big.b < small.a", True),
        ("SELECT * FROM small CROSS JOIN big ON big.a = small.a", False),
    ],
)
def test_the_look_at_a_plan_shows_a_scan_for_each_row(tmp_path: Path, statement: str, repeated: bool) -> None:
    path = tmp_path / "x.db"
    sql(path, "CREATE TABLE small (a INTEGER PRIMARY KEY)")
    sql(path, "CREATE TABLE big (a INTEGER PRIMARY KEY, b)")
    connection = apsw.Connection(str(path))
    assert bool(scans(connection, statement)[1]) is repeated
    assert any("big" in it or "it" in it for it in scans(connection, statement)[0]) or not repeated
    connection.close()
