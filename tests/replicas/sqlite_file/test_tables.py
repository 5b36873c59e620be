"""A file tells which tables it has."""

import apsw

from engine.replicas.sqlite_file.tables import has_table


def test_only_a_table_or_a_view_is_one() -> None:
    connection = apsw.Connection(":memory:")
    assert not has_table(connection, "meta")
    connection.execute(
        "CREATE TABLE meta (name); CREATE INDEX by_name ON meta (name); CREATE VIEW v AS SELECT 1"
    )
    assert [has_table(connection, name) for name in ("meta", "by_name", "v", "other")] == [
        True,
        False,
        True,
        False,
    ]
