"""Reading rows: any content of the tables has a version and can be read under the key it is listed by."""

from pathlib import Path

import apsw
import pytest

from engine.core.records.record import Category, Key
from engine.replicas.rows.reader import find_rows, observe_rows
from engine.replicas.rows.replica import open_rows
from tests.homes import ENTRY, snapshot
from tests.replicas.passes import one_pass, sql


@pytest.fixture
def junk() -> apsw.Connection:
    """Tables of another program: few columns, values of any type, keys that are none."""
    connection = apsw.Connection(":memory:")
    connection.execute(
        """
        CREATE TABLE devices (device_id, name, labels);
        INSERT INTO devices VALUES ('a', 'plain', NULL), (NULL, 'no key', '[1'), (7, x'ff', 1.5),
            (CAST(x'fe' AS TEXT), CAST(x'ff' AS TEXT), 9e999);
        CREATE TABLE entities (entity_id, domain);
        INSERT INTO entities VALUES ('light.a', 'light'), ('', NULL);
        CREATE TABLE areas (name);
        INSERT INTO areas VALUES ('no key column')
        """
    )
    return connection


def test_every_row_is_listed_and_can_be_read(junk: apsw.Connection) -> None:
    versions = observe_rows(junk, "sqlite", trust_digests=False)
    ids = [(key.registry, key.id) for key in sorted(versions)]
    assert ids == [
        ("area", "rowid:1"),
        *(("device", id_) for id_ in ("a", "rowid:2", "rowid:3", "rowid:4")),
        *(("entity", id_) for id_ in ("light.a", "rowid:2")),
    ]
    readable = [key for key in versions if key.registry != "area"]
    assert set(find_rows(junk, readable)) == set(readable)


def test_rows_that_differ_have_versions_that_differ(junk: apsw.Connection) -> None:
    versions = observe_rows(junk, "sqlite", trust_digests=False)
    assert len(set(versions.values())) == len(versions)


def test_a_category_is_found_by_scope_and_id() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE TABLE categories (scope, category_id); INSERT INTO categories VALUES ('helpers', 'x')"
    )
    key = Key("category", "helpers/x")
    assert set(find_rows(connection, [key, Key("category", "x")])) == {key}


def test_the_scopes_of_stored_categories(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    assert rows.category_scopes() == frozenset()
    one_pass(rows, rows, snapshot(ENTRY, *(Category(category_id=s, scope=s, name=s) for s in ("a", "b"))))
    sql(rows.path, "INSERT INTO categories (scope, category_id, name) VALUES (CAST(x'ff' AS TEXT), 'x', 'x')")
    assert rows.category_scopes() == {"a", "b", "\ufffd"}
    rows.close()
