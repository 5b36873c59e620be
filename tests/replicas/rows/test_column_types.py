"""Tables that another tool recreated, with other column types: what loses nothing is read as it was written."""

from pathlib import Path

import pytest

from engine.core.records.record import Area, Category, Device, Entity, Floor, Label, Record
from engine.errors import ReplicaDiverged
from engine.replicas.rows.column_types import affinity, reading
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.replica import open_rows
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import one_pass, sql

HOME: list[Record] = [
    ENTRY,
    Floor(floor_id="ground", name="Ground", level=0),
    Label(label_id="l", name="L"),
    Category(category_id="c", scope="script", name="C"),
    Area(area_id="a", name="A", floor_id="ground"),
    device(1, model="2024", sw_version="007x", disabled_by="user"),
    device(2, name=None),
    entity(1, supported_features=3, device_id=device(1).id, disabled_by="user"),
]


def remake(path: Path, registry: str, type_: str, only: tuple[str, ...] = ()) -> None:
    """What `sqlite-utils transform` does: a table of the same name and content, and other types."""
    table = TABLES[registry]
    rows = sql(path, f"SELECT name, type FROM pragma_table_info('{table.name}')")
    columns = ", ".join(
        f"{name} {declared if only and name not in only else type_}"
        + (" PRIMARY KEY" if (name,) == table.key_columns else "")
        for name, declared in rows
    )
    keys = f", PRIMARY KEY ({', '.join(table.key_columns)})" if len(table.key_columns) > 1 else ""
    unique = ", UNIQUE (id)" if registry == "entity" else ""
    sql(path, f"CREATE TABLE remade ({columns}{keys}{unique})")
    sql(path, f"INSERT INTO remade SELECT * FROM {table.name}")
    sql(path, f"DROP TABLE {table.name}")
    sql(path, f"ALTER TABLE remade RENAME TO {table.name}")


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ("", "BLOB"),
        ("VARCHAR(20)", "TEXT"),
        ("CHARINT", "INTEGER"),
        ("FLOAT", "REAL"),
        ("DOUBLE PRECISION", "REAL"),
        ("BOOLEAN", "NUMERIC"),
        ("datetime", "NUMERIC"),
        ("blob", "BLOB"),
    ],
)
def test_affinities_are_those_of_sqlite(declared: str, found: str) -> None:
    assert affinity(declared) == found


def test_columns_of_our_own_types_are_read_as_they_are() -> None:
    for table in TABLES.values():
        for column in table.columns:
            assert reading(column.sql, column.type, column.type) == column.sql


@pytest.mark.parametrize("type_", ["FLOAT", "TEXT", "INT", "BLOB", "NUMERIC", ""])
@pytest.mark.parametrize("registry", ["device", "entity", "floor"])
def test_a_remade_table_is_in_sync_and_stays_writable(tmp_path: Path, registry: str, type_: str) -> None:
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(*HOME))
    remake(rows.path, registry, type_)

    assert one_pass(rows, rows, snapshot(*HOME), at=NOON + 1).operations == ()
    changed = [_renamed(record) for record in HOME]
    assert one_pass(rows, rows, snapshot(*changed), at=NOON + 2).operations
    assert one_pass(rows, rows, snapshot(*changed), at=NOON + 3).operations == ()
    rows.close()


def _renamed(record: Record) -> Record:
    if isinstance(record, Device):
        return device(int(record.id[1:], 16), name="Renamed", model="2025")
    if isinstance(record, Entity):
        return entity(1, supported_features=4, name="Renamed", device_id=device(1).id)
    return Floor(floor_id="ground", name="Renamed", level=1) if isinstance(record, Floor) else record


def test_a_column_that_alters_written_values_is_named(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(*HOME))
    remake(rows.path, "device", "FLOAT", only=("sw_version",))

    changed = [*HOME[:-3], device(1, sw_version="1.10"), *HOME[-2:]]
    with pytest.raises(
        ReplicaDiverged, match=r"devices\.sw_version \(VARCHAR\) gives back another text"
    ) as reported:
        one_pass(rows, rows, snapshot(*changed), at=NOON + 1)
    assert "1.1" not in str(reported.value)
    rows.close()
