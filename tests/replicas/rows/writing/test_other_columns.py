"""Other programs' columns: any value returns as it was, into columns that still exist."""

import apsw

from engine.core.records.record import Key
from engine.replicas.rows.reader import find_rows
from engine.replicas.rows.writing.other_columns import read_others, write_others


def test_values_of_every_type_return() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(
        'CREATE TABLE devices (device_id TEXT, name TEXT, a, b, "c ""d""", e, f);'
        "INSERT INTO devices VALUES ('x', 'X', 1, 2.5, 'text', x'00ff', NULL), ('y', 'Y', 0, 0, 0, 0, 0)"
    )
    found = find_rows(connection, [Key("device", "x"), Key("device", "y")])
    others = read_others(connection, "device", [found[Key("device", "x")]])[Key("device", "x")]
    assert others == {"a": 1, "b": 2.5, 'c "d"': "text", "e": {"base64": "AP8="}}
    write_others(connection, found[Key("device", "y")], {**others, "gone": 1})
    rows = connection.execute(
        'SELECT device_id, name, a, b, "c ""d""", e, f FROM devices WHERE name = \'Y\''
    ).fetchall()
    assert rows == [("y", "Y", 1, 2.5, "text", b"\x00\xff", 0)]


def test_text_that_is_not_utf8_is_kept_as_bytes() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE TABLE devices (device_id, a); INSERT INTO devices VALUES ('x', CAST(x'ff' AS TEXT))"
    )
    found = find_rows(connection, [Key("device", "x")])
    assert read_others(connection, "device", list(found.values())) == {
        Key("device", "x"): {"a": {"base64": "/w=="}}
    }
