"""Text that is not UTF-8 stays bytes, beside text that is."""

import apsw

from engine.replicas.sqlite_file.invalid_utf8 import rows_keeping_bytes


def test_only_undecodable_text_stays_bytes() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE TABLE t (a, b, c, d); INSERT INTO t VALUES (CAST(x'ff' AS TEXT), 'é', x'41', 1.5)"
    )
    found = list(
        rows_keeping_bytes(connection, "SELECT a, b, c, d FROM t WHERE d > ?", ("a", "b", "c", "d"), (1,))
    )
    assert found == [(b"\xff", "é", b"A", 1.5)]
