"""The tables of the view's file, and whose file it is."""

from pathlib import Path

import apsw
import pytest

from engine.errors import ReplicaRejected
from engine.fleet_view.view_file.schema import SCHEMA_VERSION, check_ours, identity_in, make_tables
from tests.fleet_view.viewed import IDENTITY


def test_tables_of_another_view_are_replaced() -> None:
    connection = apsw.Connection(":memory:")
    assert identity_in(connection) is None
    make_tables(connection, IDENTITY, 5.0)
    connection.execute("INSERT INTO site (number, name) VALUES (1, 'a')")
    connection.execute("INSERT INTO search (rowid, words) VALUES (1, 'lamp')")
    assert identity_in(connection) == IDENTITY
    connection.execute('CREATE TABLE "of ""another"" schema" (x)')
    connection.pragma("user_version", SCHEMA_VERSION + 1)
    assert identity_in(connection) is None
    make_tables(connection, IDENTITY, 6.0)
    assert identity_in(connection) == IDENTITY
    assert connection.execute("SELECT count(*) FROM site").fetchall() == [(0,)]
    assert connection.execute("SELECT count(*) FROM search WHERE search MATCH 'lamp'").fetchall() == [(0,)]


def test_a_note_that_is_none_means_another_file(tmp_path: Path) -> None:
    connection = apsw.Connection(":memory:")
    make_tables(connection, IDENTITY, 5.0)
    connection.execute("UPDATE meta SET value = 'x' WHERE name = 'topics'")
    assert identity_in(connection) is None
    connection.execute("DELETE FROM meta")
    assert identity_in(connection) is None


def test_another_programs_database_is_left_alone() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE devices (id)")
    with pytest.raises(ReplicaRejected, match="another kind"):
        check_ours(connection)
    with pytest.raises(ReplicaRejected, match="another kind"):
        make_tables(connection, IDENTITY, 5.0)
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("devices",)]
