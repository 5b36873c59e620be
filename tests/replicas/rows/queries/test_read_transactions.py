"""The rows file for readers: anybody's rows, one moment per job, a revision that moves with every commit."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import apsw
import pytest

from engine.errors import ReplicaRejected, ReplicaUnavailable
from engine.replicas.rows.queries.conditions import FACETS, FILTERS, LIST_FACETS
from engine.replicas.rows.queries.read_transactions import RowsTransaction
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader
from engine.replicas.rows.replica import open_rows
from tests.homes import ENTRY, device, entity, snapshot
from tests.replicas.passes import make_homeiq, one_pass, sql

NAMES = ("name", "labels", "entity_count")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(ENTRY, device(1), device(2), entity(1, device_id=device(1).id)))
    rows.close()
    return tmp_path / "rows.db"


@pytest.fixture
async def reader(path: Path) -> AsyncIterator[SqliteRowsReader]:
    opened = SqliteRowsReader(path)
    yield opened
    await opened.aclose()


async def keys(reader: SqliteRowsReader, registry: str = "device") -> list[str]:
    return [row[0] for row in await reader.read(lambda m: m.page(registry, (), (), "", 1000))]


async def test_pages_are_ordered_and_begin_behind_a_key(reader: SqliteRowsReader) -> None:
    one, two = device(1).id, device(2).id
    assert await keys(reader) == [one, two]
    assert await reader.read(lambda m: m.page("device", NAMES, (), one, 10)) == [(two, "Device 2", None, 0)]
    assert await reader.read(lambda m: m.count("device", ())) == 2
    assert await reader.read(lambda m: m.row("device", NAMES, one)) == (one, "Device 1", None, 1)
    assert await reader.read(lambda m: m.row("device", NAMES, "none")) is None


async def test_every_filter_is_a_statement(reader: SqliteRowsReader) -> None:
    def job(transaction: RowsTransaction) -> None:
        for registry, name in FILTERS:
            value = name in ("has_aliases", "disabled", "has_device") or (
                "[]" if name in ("among", "not_among", "keyed") else "x"
            )
            transaction.page(registry, (), ((name, value),), "", 1)
            assert transaction.count(registry, ((name, value),)) >= 0

    await reader.read(job)


async def test_every_facet_is_one_statement_and_counts_the_matches_of_its_filter(
    reader: SqliteRowsReader,
) -> None:
    def job(transaction: RowsTransaction) -> None:
        for registry, facets in FACETS.items():
            for name in (*facets, *LIST_FACETS.get(registry, ())):
                for value, count in transaction.facets(registry, (name,), ())[name]:
                    wanted = value == "true" if name == "disabled" else value
                    assert transaction.count(registry, ((name, wanted),)) == count, (registry, name, value)

    await reader.read(job)


async def test_every_facet_can_be_narrowed_by_ids_and_keys(reader: SqliteRowsReader) -> None:
    def job(transaction: RowsTransaction) -> None:
        for registry, facets in FACETS.items():
            names = (*facets, *LIST_FACETS.get(registry, ()))
            for narrowed in ("among", "not_among", "keyed"):
                assert list(transaction.facets(registry, names, ((narrowed, "[]"),))) == list(names)

    await reader.read(job)


async def test_keys_are_sorted_and_rows_keep_the_requested_order(
    reader: SqliteRowsReader,
) -> None:
    first, second = device(1).id, device(2).id

    def job(transaction: RowsTransaction) -> None:
        assert transaction.keys("device", ()) == sorted((first, second))
        assert transaction.keys("device", (), "name") == [first, second]
        assert transaction.keys("device", (("among", f'["{second}"]'),)) == [second]
        assert transaction.keys("device", (("not_among", f'["{second}"]'),)) == [first]
        assert transaction.keyed("device", ("name",), [second, "none", first]) == [
            (second, "Device 2"),
            (first, "Device 1"),
        ]

    await reader.read(job)


async def test_what_is_searched_is_every_name_in_lower_case(reader: SqliteRowsReader, path: Path) -> None:
    assert "device 1" in (await reader.read(lambda m: m.texts("device")))[device(1).id]
    sql(path, "UPDATE devices SET model = 'ÄTHER'")
    assert "äther" in (await reader.read(lambda m: m.texts("device")))[device(1).id]


async def test_rows_are_found_by_registry_id_as_one_statement(reader: SqliteRowsReader) -> None:
    wanted = [device(1).id, "none", device(2).id]
    found = await reader.read(lambda m: m.rows("device", ("name",), wanted))
    assert sorted(found) == [(device(1).id, "Device 1"), (device(2).id, "Device 2")]
    it = entity(1)
    assert await reader.read(lambda m: m.rows("entity", ("id",), [it.id])) == [(it.entity_id, it.id)]
    assert await reader.read(lambda m: m.rows("entity", ("id",), [it.entity_id])) == []


async def test_changes_are_counted_by_time(reader: SqliteRowsReader, path: Path) -> None:
    sql(path, "DELETE FROM reconcile_changes")
    for at in (0, 650, 700, 1300):
        sql(
            path,
            "INSERT INTO reconcile_changes (seq, run_id, changed_at, op, registry, id, cause)"
            f" VALUES ({at + 1}, 'r', {at}, 'u', 'device', 'd', 'pending')",
        )
    assert await reader.read(lambda m: m.change_counts(0, 10, 600)) == [(1, 2), (2, 1)]
    assert await reader.read(lambda m: m.change_counts(651, 10, 600)) == [(1, 1), (2, 1)]
    sql(path, "DROP TABLE reconcile_changes")
    assert await reader.read(lambda m: m.change_counts(0, 0, 600)) == []


async def test_the_revision_moves_with_every_commit_and_only_then(
    reader: SqliteRowsReader, path: Path
) -> None:
    async def revision() -> int:
        return await reader.read(lambda m: m.revision)

    first = await revision()
    assert first == 4, "the number of the newest change"
    assert await revision() == first
    sql(path, "UPDATE devices SET name = 'Mocked'")
    second = await revision()
    assert second > first
    assert await revision() == second


async def test_the_data_version_shows_of_every_commit_and_of_another_file(
    reader: SqliteRowsReader, path: Path, tmp_path: Path
) -> None:
    seen = [reader.data_version(), reader.data_version()]
    assert seen[0] is not None
    sql(path, "UPDATE devices SET name = 'Mocked'")
    seen.append(reader.data_version())
    sql(path, "VACUUM INTO ?", str(tmp_path / "new.db"))
    await anyio.Path(tmp_path / "new.db").replace(path)
    assert reader.data_version() is None, "to open another file is not for the event loop"
    await keys(reader)
    seen.append(reader.data_version())
    assert len(set(seen)) == 3
    assert seen[0] == seen[1]
    await anyio.Path(path).unlink()
    assert reader.data_version() is None


async def test_a_locked_file_has_no_data_version_and_delays_no_reader(
    reader: SqliteRowsReader, path: Path
) -> None:
    sql(path, "PRAGMA journal_mode = delete")
    connection = apsw.Connection(str(path))
    connection.execute("BEGIN EXCLUSIVE")
    try:
        assert reader.data_version() is None
    finally:
        connection.close()
    assert reader.data_version() is not None


async def test_a_job_sees_one_moment(reader: SqliteRowsReader, path: Path) -> None:
    def job(transaction: RowsTransaction) -> tuple[int, int]:
        before = len(transaction.page("device", (), (), "", 10))
        sql(path, "INSERT INTO devices (device_id, name) VALUES ('new', 'New')")
        return before, len(transaction.page("device", (), (), "", 10))

    assert await reader.read(job) == (2, 2)
    assert len(await keys(reader)) == 3


async def test_totals_are_counted_once_per_revision(reader: SqliteRowsReader, path: Path) -> None:
    assert await reader.read(lambda m: m.count("device", ())) == 2
    sql(path, "DELETE FROM devices")
    assert await reader.read(lambda m: m.count("device", ())) == 0


async def test_rows_of_any_program_are_read(reader: SqliteRowsReader, path: Path) -> None:
    bad = "INSERT INTO devices (device_id, name, labels, entity_count) VALUES (?, ?, ?, ?)"
    sql(path, bad, "foreign", 5, b"\xff\x00", "many")
    sql(path, bad, b"\x01", "Bytes for a key", None, None)
    sql(path, "UPDATE devices SET name = CAST(x'ff41' AS TEXT) WHERE device_id = 'foreign'")
    rows = await reader.read(lambda m: m.page("device", NAMES, (), "", 10))
    assert [row[0] for row in rows] == [device(1).id, device(2).id, "foreign"], "bytes are no key"
    assert rows[-1] == ("foreign", "\ufffdA", "\ufffd\x00", None)
    assert await reader.read(lambda m: m.count("device", ())) == 3


async def test_a_homeiq_file_that_was_never_written_to_is_read(tmp_path: Path) -> None:
    devices = make_homeiq(tmp_path / "metadata.db")
    reader = SqliteRowsReader(tmp_path / "metadata.db")
    assert await keys(reader) == sorted(row["device_id"] for row in devices)
    rows = await reader.read(lambda m: m.page("device", NAMES, (("area_id", "x"), ("platform", "y")), "", 9))
    assert rows == []
    assert await keys(reader, "floor") == []
    assert await reader.read(lambda m: (m.feed_bounds(), m.changes(0, 9), m.runs(None, 9), m.run("r"))) == (
        (0, 0),
        [],
        [],
        None,
    )
    await reader.aclose()


async def test_an_absent_file_is_unavailable_until_it_is_there(tmp_path: Path, path: Path) -> None:
    reader = SqliteRowsReader(tmp_path / "later.db")
    with pytest.raises(ReplicaUnavailable, match="no rows file"):
        await keys(reader)
    sql(path, "VACUUM INTO ?", str(tmp_path / "later.db"))
    assert len(await keys(reader)) == 2
    await reader.aclose()


async def test_a_file_that_was_replaced_is_read_again(
    reader: SqliteRowsReader, path: Path, tmp_path: Path
) -> None:
    first = await reader.read(lambda m: m.revision)
    rows = open_rows(tmp_path / "new.db")
    one_pass(rows, rows, snapshot(ENTRY))
    rows.close()
    (tmp_path / "new.db").replace(path)
    assert await keys(reader) == []
    assert await reader.read(lambda m: m.revision) > first


async def test_a_damaged_file_and_a_newer_schema_are_refused(reader: SqliteRowsReader, path: Path) -> None:
    sql(path, "UPDATE reconcile_meta SET value = 99 WHERE name = 'schema_version'")
    with pytest.raises(ReplicaRejected, match="schema version 99"):
        await keys(reader)
    await anyio.Path(path).write_bytes(b"no database" * 1000)
    with pytest.raises(ReplicaRejected):
        await keys(reader)


async def test_a_locked_file_is_unavailable_and_holds_up_no_other_task(path: Path) -> None:
    sql(path, "PRAGMA journal_mode = delete")
    reader = SqliteRowsReader(path, busy_timeout_seconds=0.05)
    connection = apsw.Connection(str(path))
    connection.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(ReplicaUnavailable, match="locked"), anyio.fail_after(60):
            await keys(reader)
    finally:
        connection.close()
    assert len(await keys(reader)) == 2
    await reader.aclose()


async def test_it_cannot_write(reader: SqliteRowsReader) -> None:
    with pytest.raises(ReplicaRejected, match="read-only"):
        await reader.read(lambda m: m._connection.execute("DELETE FROM devices"))


async def test_what_a_job_raises_arrives(reader: SqliteRowsReader) -> None:
    def job(_moment: RowsTransaction) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError):
        await reader.read(job)
    assert len(await keys(reader)) == 2


@pytest.mark.parametrize("value", ["NULL", "'x'", "x'00'", "9e999", "'['"])
async def test_a_feed_and_runs_with_odd_values_are_served_as_far_as_they_are_usable(
    path: Path, reader: SqliteRowsReader, value: str
) -> None:
    for table in ("reconcile_changes", "reconcile_runs"):
        columns = [
            name for (name,) in sql(path, f"SELECT name FROM pragma_table_info('{table}')") if name != "seq"
        ]
        sql(path, f"CREATE TABLE kept AS SELECT * FROM {table}")
        sql(path, f"DROP TABLE {table}")
        sql(path, f"ALTER TABLE kept RENAME TO {table}")
        sql(path, f"UPDATE {table} SET {', '.join(f'{c} = {value}' for c in columns)}")
    changes = await reader.read(lambda m: m.changes(0, 100))
    runs = await reader.read(lambda m: m.runs(None, 100))
    assert len(changes) == 4
    for _seq, op, registry, id_, before, after, at, cause, run_id, _version in changes:
        assert {type(text) for text in (op, registry, id_, cause, run_id)} == {str}
        assert (before, after) == (None, None)
        assert at == 0.0
    for run_id, at, origin, _version, *counts in runs:
        assert (type(run_id), at, type(origin), {type(n) for n in counts}) == (str, 0.0, str, {int})
