"""Whatever happens to a home, the rows file converges, and what other programs keep in it survives."""

import tempfile
from pathlib import Path

import apsw
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.records.record import Record
from engine.replicas.rows.codec import encode_row
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.replica import open_rows
from tests.examples import at_most
from tests.homes import NOON, entity, snapshot
from tests.replicas.passes import one_pass, sql
from tests.strategies import homes

_NUMBERS = range(12)


@st.composite
def entity_homes(draw: st.DrawFn) -> dict[int, str]:
    """Which of a dozen entities there are, and their entity_ids: renames, chains and swaps of all kinds."""
    numbers = draw(st.lists(st.sampled_from(_NUMBERS), unique=True, max_size=12))
    names = draw(st.permutations([f"sensor.n{n}" for n in _NUMBERS]))
    return dict(zip(numbers, names, strict=False))


@settings(max_examples=at_most(60, fast=4), deadline=None)
@given(st.lists(entity_homes(), min_size=2, max_size=5))
def test_renames_swaps_and_returns_converge_with_other_columns_following_the_entity(
    steps: list[dict[int, str]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.db"
        rows = open_rows(path)
        one_pass(rows, rows, snapshot(*(entity(n) for n in _NUMBERS)))
        sql(path, "ALTER TABLE entities ADD COLUMN theirs TEXT; UPDATE entities SET theirs = id")
        for step, names in enumerate(steps):
            desired = snapshot(*(entity(n, entity_id=name) for n, name in names.items()))
            one_pass(rows, rows, desired, at=NOON + step)
            assert rows.observe().versions == desired.home.row_versions
            assert one_pass(rows, rows, desired).operations == ()
            found = sql(path, "SELECT id, entity_id, theirs FROM entities ORDER BY id")
            assert found == sorted((entity(n).id, name, entity(n).id) for n, name in names.items())
        rows.close()


@settings(max_examples=at_most(40, fast=4), deadline=None)
@given(st.lists(homes(), min_size=1, max_size=4))
def test_rows_equal_those_of_a_file_built_at_once(steps: list[list[Record]]) -> None:
    """The oracle is SQLite's session extension, on tables filled by plain INSERTs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.db"
        rows = open_rows(path)
        for step, records in enumerate(steps):
            one_pass(rows, rows, snapshot(*records), at=NOON + step)
        rows.close()
        assert differing_tables(path, steps[-1]) == []


def differing_tables(path: Path, records: list[Record]) -> list[str]:
    desired = snapshot(*records)
    connection = apsw.Connection(str(path))
    connection.execute("ATTACH ':memory:' AS expected")
    differing = []
    for table in TABLES.values():
        [(create,)] = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE name = ?", (table.name,)
        ).fetchall() or [("",)]
        if not create:
            assert not records, "a home without rows may have no tables yet"
            continue
        connection.execute(str(create).replace("CREATE TABLE ", "CREATE TABLE expected.", 1))
        for key, record in desired.home.records.items():
            if key.registry == table.registry:
                values = encode_row(record, desired.home.derived.get(key), "")
                marks = ", ".join("?" * len(values))
                connection.execute(
                    f"INSERT INTO expected.{table.name} ({', '.join(table.sql_names)}) VALUES ({marks})",
                    values,
                )
        # When a row last changed depends on the way here, and so do stamps of records that did not change.
        for name in ("last_seen", "created_at", "modified_at"):
            for schema in ("main", "expected"):
                connection.execute(f"UPDATE {schema}.{table.name} SET {name} = NULL")
        session = apsw.Session(connection, "main")
        session.attach(table.name)
        session.diff("expected", table.name)
        if session.changeset():
            differing.append(table.name)
        session.close()
    connection.close()
    return differing
