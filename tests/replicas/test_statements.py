"""Every SQL statement, on filled files: none reads a whole table once per key.

A statement that runs about as often as there are keys may not scan a table, and within one statement no table may
be scanned for each row of another. Either makes a removal of 10,000 records take minutes.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import apsw
import pytest

from engine.core.guards.absences import Absences
from engine.core.guards.look import Look
from engine.core.records.record import Key
from engine.replicas.history import housekeeping
from engine.replicas.history.replica import open_history
from engine.replicas.history.retention import Retention
from engine.replicas.influx.outbox import open_outbox
from engine.replicas.rows.queries.conditions import FILTERS
from engine.replicas.rows.queries.read_transactions import RowsTransaction
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader
from engine.replicas.rows.replica import open_rows
from engine.replicas.rows.snapshots.backup import take_snapshot
from engine.replicas.rows.snapshots.restore import restore_rows
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import plan_of, run_of, sql

KEYS = 60
DAY = 86_400.0
# A handful of rows each. The id of a category is made of two columns, so no index finds it.
SMALL_TABLES = {"categories", "reconcile_meta", "meta"}


@contextmanager
def statements_of_this_process() -> Iterator[Counter[tuple[str, str]]]:
    """How often each statement ran, by file and statement, on every connection that is opened meanwhile."""
    ran: Counter[tuple[str, str]] = Counter()

    def follow(connection: apsw.Connection) -> None:
        def trace(source: apsw.Cursor | apsw.Connection, statement: str, _bindings: object) -> bool:
            where = source.connection if isinstance(source, apsw.Cursor) else source
            ran[where.filename, statement] += 1
            return True

        connection.exec_trace = trace

    apsw.connection_hooks.append(follow)
    try:
        yield ran
    finally:
        apsw.connection_hooks.remove(follow)


def scans(connection: apsw.Connection, statement: str) -> tuple[list[str], list[str]]:
    """The tables of the file that a statement reads whole: in all, and for each row of something else."""
    tables = {
        name for (name,) in connection.execute("SELECT lower(name) FROM sqlite_schema WHERE type = 'table'")
    }
    tables -= SMALL_TABLES
    try:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
    except apsw.BindingsError:
        numbered = {int(number) for number in re.findall(r"\?(\d)", statement)}
        bindings = [None] * (max(numbered) if numbered else statement.count("?"))
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", bindings).fetchall()
    details = {id_: str(detail) for id_, _, _, detail in plan}
    parents = {id_: parent for id_, parent, _, _ in plan}
    # By the level of the plan: what stands behind another is its inner loop.
    loops: Counter[object] = Counter()
    whole: list[str] = []
    repeated: list[str] = []
    for id_, parent, _, detail in plan:
        word, _, rest = str(detail).partition(" ")
        if word not in ("SCAN", "SEARCH"):
            continue
        outer, loops[parent] = loops[parent], loops[parent] + 1
        # An index that SQLite makes for one statement costs a look at the whole table.
        is_whole = word == "SCAN" or "AUTOMATIC" in rest
        if is_whole and any(name.lower() in tables for name in _named(rest, statement)):
            whole.append(rest)
            if (outer and word == "SCAN") or _is_correlated(id_, parents, details):
                repeated.append(rest)
    return whole, repeated


def _named(rest: str, statement: str) -> list[str]:
    """The table that a line of a plan names, perhaps by an alias of one letter or word."""
    name = rest.split(maxsplit=1)[0]
    words = statement.replace("(", " ").replace(")", " ").split()
    return [
        name,
        *(
            before
            for before, as_, alias in zip(words, words[1:], words[2:], strict=False)
            if (as_, alias) == ("AS", name)
        ),
    ]


def _is_correlated(id_: object, parents: dict[object, object], details: dict[object, str]) -> bool:
    while id_ in parents:
        id_ = parents[id_]
        if "CORRELATED" in details.get(id_, ""):
            return True
    return False


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
    history.close()
    forget_much(folder / "history.db")
    for it in (rows, history, outbox):
        it.close()
    read_everything(folder / "rows.db")
    take_snapshot(folder / "rows.db", folder / "kept.db")
    restore_rows(folder / "kept.db", folder / "rows.db", NOON)


def forget_much(path: Path) -> None:
    """Both ways, over more steps than there are keys."""
    history = open_history(path, retention=Retention(thin_seconds=2), clock=lambda: NOON + DAY)
    step, housekeeping._REVISIONS_A_STEP = housekeeping._REVISIONS_A_STEP, 5
    try:
        for before in (None, NOON + 10):
            plan = history.housekeeper.plan(before_ns=None if before is None else int(before * 1e9))
            assert sum(history.housekeeper.steps(plan)) > KEYS
    finally:
        housekeeping._REVISIONS_A_STEP = step
    for n in range(1, KEYS):
        history.forgotten(device(n).key)
        history.count(device(n).key)
    history.close()


def test_no_statement_reads_a_whole_table_once_per_key(tmp_path: Path) -> None:
    with statements_of_this_process() as ran:
        use_everything(tmp_path)
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
    assert {"rows.db", "history.db", "outbox.db"} <= seen, "the run looked at every file"


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
