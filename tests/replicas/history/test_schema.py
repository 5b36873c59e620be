"""The history file's tables: made by the first write, and not touched when a newer program made them."""

import apsw
import pytest

from engine.errors import ReplicaRejected
from engine.replicas.history.schema import COLUMNS, ensure_records, has_records


def test_tables_are_made_once_and_hold_the_columns_that_are_written() -> None:
    connection = apsw.Connection(":memory:")
    assert not has_records(connection, "history")
    for _ in range(2):
        ensure_records(connection, "history")
    assert has_records(connection, "history")
    assert (
        tuple(name for (name,) in connection.execute("SELECT name FROM pragma_table_info('records')"))
        == COLUMNS
    )


@pytest.mark.parametrize("found", [3, "one"])
def test_a_schema_that_is_not_ours_is_refused(found: object) -> None:
    connection = apsw.Connection(":memory:")
    ensure_records(connection, "history")
    connection.execute("UPDATE meta SET value = ?", (found,))
    with pytest.raises(ReplicaRejected, match=f"version {found}, and this program knows 2"):
        has_records(connection, "history")
