"""Names that no row has any more are found in the feed and the tombstones."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from engine.core.records.record import Key
from engine.replicas.rows.queries.former_names import find_former
from engine.replicas.rows.replica import open_rows
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import one_pass

GONE = entity(2, entity_id="light.gone")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[apsw.Connection]:
    """A home in which one entity was renamed, and another removed."""
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(ENTRY, device(1), entity(1, entity_id="light.old"), GONE))
    after = snapshot(ENTRY, device(1), entity(1, entity_id="light.new"), removed=[GONE.key])
    one_pass(rows, rows, after, at=NOON + 5)
    rows.close()
    opened = apsw.Connection(str(tmp_path / "rows.db"))
    yield opened
    opened.close()


def test_an_entity_is_found_by_every_name_it_bore(connection: apsw.Connection) -> None:
    for name in ("light.old", "light.new", entity(1).id):
        assert {(f.key, f.seen_at, f.ended_at) for f in find_former(connection, name)} == {
            (entity(1).key, NOON + 5, None)
        }
    assert find_former(connection, "light.old", "device") == []
    assert find_former(connection, "light.o") == []
    assert find_former(connection, "light.never") == []


def test_a_deleted_one_says_when_also_where_only_one_of_both_remembers(connection: apsw.Connection) -> None:
    wanted = {(GONE.key, NOON + 5)}
    assert {(f.key, f.ended_at) for f in find_former(connection, "light.gone")} == wanted
    connection.execute("DELETE FROM reconcile_changes")
    assert {(f.key, f.ended_at) for f in find_former(connection, "light.gone")} == wanted
    connection.execute("DROP TABLE reconcile_changes; DROP TABLE reconcile_tombstones")
    assert find_former(connection, "light.gone") == []


def test_what_others_wrote_into_the_feed_does_no_harm(connection: apsw.Connection) -> None:
    connection.execute("UPDATE reconcile_changes SET before = '{light.gone', changed_at = 'noon'")
    found = find_former(connection, "light.gone")
    assert {f.key for f in found} == {Key("entity", GONE.id)}
