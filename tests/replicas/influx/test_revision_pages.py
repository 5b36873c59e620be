"""Parts of a timeline, whatever the order in which its revisions arrive."""

from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.replicas.influx.revision_pages import newest_of, page_of

KEY = Key("device", "d1")
SHUFFLED = [Revision(KEY, 100.0 + rev, "update", rev, f"1:{rev}", "run", {}) for rev in (3, 1, 5, 2, 4)]


def test_a_page_begins_behind_a_revision_and_ends_at_its_limit() -> None:
    assert [r.rev for r in page_of(SHUFFLED, 2, 2)] == [3, 4]
    assert [r.rev for r in page_of(SHUFFLED, 0, None)] == [1, 2, 3, 4, 5]
    assert page_of(SHUFFLED, 5, 10) == []


def test_the_newest_come_oldest_first() -> None:
    assert [r.rev for r in newest_of(SHUFFLED, 2, None)] == [4, 5]
    assert [r.rev for r in newest_of(SHUFFLED, 2, 4)] == [2, 3]
    assert newest_of(SHUFFLED, 2, 1) == []
