"""What is remembered of a revision stays within bounds."""

import apsw

from engine.replicas.rows.queries.revision_cache import RevisionCache, remember


def test_without_room_all_else_is_let_go() -> None:
    kept: dict[str, int] = {}
    for number in range(3):
        remember(kept, f"k{number}", number, 2)
    assert kept == {"k2": 2}


def test_columns_are_looked_up_once() -> None:
    connection, known = apsw.Connection(":memory:"), RevisionCache()
    assert known.columns_of(connection, "t") == ()
    connection.execute("CREATE TABLE t (a)")
    assert known.columns_of(connection, "t") == ()
    assert RevisionCache().columns_of(connection, "t") == ("a",)
