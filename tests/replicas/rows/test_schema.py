"""Tables: HomeIQ's columns first and exactly, missing ones added, strange tables refused."""

from hashlib import sha256
from pathlib import Path

import apsw
import pytest

from engine.errors import ReplicaRejected
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.schema import ROW_LAYOUT, check_schema, columns_of, ensure_schema
from tests.replicas.passes import make_homeiq

# Of the names of all columns in their order, by layout. Other columns: a new number in `schema`, and a new line here.
LAYOUTS = {2: "3e2d3f76071e"}


def shape(connection: apsw.Connection, table: str) -> list[tuple[object, ...]]:
    return list(connection.execute(f"SELECT name, type, \"notnull\", pk FROM pragma_table_info('{table}')"))


def test_a_new_file_has_homeiqs_columns_with_its_types(tmp_path: Path) -> None:
    make_homeiq(tmp_path / "homeiq.db")
    theirs, ours = apsw.Connection(str(tmp_path / "homeiq.db")), apsw.Connection(":memory:")
    ensure_schema(ours, "sqlite")
    for table, count in (("devices", 13), ("entities", 8)):
        assert shape(ours, table)[:count] == shape(theirs, table)[:count]
    indexes = "SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index' AND name LIKE 'idx_%'"
    assert set(theirs.execute(indexes)) < set(ours.execute(indexes))
    [(reference,)] = ours.execute(
        'SELECT "table" || "to" || on_delete FROM pragma_foreign_key_list(\'entities\')'
    )
    assert reference == "devicesdevice_idCASCADE"
    theirs.close()


def test_adoption_adds_missing_columns_and_is_repeatable(tmp_path: Path) -> None:
    make_homeiq(tmp_path / "homeiq.db")
    connection = apsw.Connection(str(tmp_path / "homeiq.db"))
    assert check_schema(connection, "sqlite") is False
    for _ in range(2):
        ensure_schema(connection, "sqlite")
        assert check_schema(connection, "sqlite") is True
    for table in TABLES.values():
        assert set(table.sql_names) <= set(columns_of(connection, table.name))
    assert "health_score" in columns_of(connection, "devices")
    connection.close()


def test_a_table_of_the_same_name_without_the_key_is_refused() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE devices (serial TEXT)")
    with pytest.raises(ReplicaRejected, match="devices without a column device_id"):
        ensure_schema(connection, "sqlite")


def test_a_schema_that_is_unknown_is_refused() -> None:
    connection = apsw.Connection(":memory:")
    ensure_schema(connection, "sqlite")
    connection.execute("UPDATE reconcile_meta SET value = 'x' WHERE name = 'schema_version'")
    with pytest.raises(ReplicaRejected, match="version x, and this program knows 1"):
        check_schema(connection, "sqlite")


def test_other_columns_have_another_layout() -> None:
    """Else all rows would look as if another program had changed them, once, after an update."""
    names = " ".join(f"{table.name}.{name}" for table in TABLES.values() for name in table.sql_names)
    assert LAYOUTS[ROW_LAYOUT] == sha256(names.encode()).hexdigest()[:12]
