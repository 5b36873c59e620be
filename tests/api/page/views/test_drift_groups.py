"""Differences by verdict and registry: each record once, the real ones first, and a group's common facts stated once."""

from typing import Any

from api.page.views.drift_groups import DriftPage, DriftPageQuery, drift_page
from engine.core.compare.diff import Cause
from engine.core.state.record_verdict import Verdicts
from engine.core.state.status import ReplicaStatus
from engine.core.words import SyncStatus
from tests.api.serving import FRESHNESS, status_of
from tests.commandline.reports import added, changed, foreign, removed, replica, report
from tests.homes import NOON


def view(*records: Any, **asked: Any) -> DriftPage:
    reported = report(*records, replicas=(replica(), replica("history")))
    replicas = tuple(
        ReplicaStatus(n, SyncStatus.OUT_OF_SYNC, compared_at=NOON) for n in ("sqlite", "history")
    )
    status = status_of(reported, replicas=replicas)
    query = DriftPageQuery(**asked)
    return drift_page(records, status, {}, Verdicts(status, NOON, FRESHNESS), query, 3)


MOCKS = [foreign(f"Mock {n:03}") for n in range(121)]
DRIFTED = changed("Lamp", ("name", "Old", "New"), cause=Cause.DRIFT)


def test_real_differences_come_before_foreign_rows() -> None:
    shown = view(*MOCKS, removed("Gone", outcome="waiting"), added("New"), DRIFTED)
    assert [(g.id, g.count) for g in shown.groups] == [
        ("drifted-device", 1),
        ("missing-device", 1),
        ("gone-device", 1),
        ("foreign-device", 121),
    ]
    assert [len(g.table.rows) for g in shown.groups] == [1, 1, 1, 3]
    assert [g.is_open for g in shown.groups] == [True, True, False, False]


def test_a_record_that_differs_in_two_replicas_counts_once() -> None:
    shown = view(added("Lamp"), added("Lamp", replica="history"))
    assert (shown.total, [g.count for g in shown.groups]) == (1, [1])
    assert [(c.value, c.count) for c in shown.replicas] == [("sqlite", 1), ("history", 1)]


def test_common_facts_of_a_group_are_reported_once() -> None:
    (group,) = view(*MOCKS[:2], foreign("Odd", why=(*MOCKS[0].why, "and this")), state="foreign").groups
    assert "no entity belongs to it" in group.reasons
    assert [row.reasons for row in group.table.rows] == [[], [], ["and this"]]
    assert group.command == "reconcile --prune-foreign"


def test_filters_search_and_order() -> None:
    records = (*MOCKS, DRIFTED, foreign("Sun", registry="entity", key="sun.mock", entity_id="sun.mock"))
    assert view(*records, registry="entity").found == 1
    assert view(*records, state="foreign").found == 122
    assert view(*records, replica="history").found == 0
    assert view(*records, q="SUN").found == 1
    names = [row.name for group in view(*records, sort="name").groups for row in group.table.rows]
    assert names[0] == "Lamp"
    assert view(*records, sort="since").groups[0].id == "drifted-device", (
        "foreign rows have no known beginning"
    )


def test_pages_hold_all_records_once() -> None:
    pages = [view(*MOCKS, state="foreign", page=n) for n in (1, 2, 9)]
    assert [len(p.groups[0].table.rows) for p in pages] == [100, 21, 21]
    assert [(p.page, p.pages) for p in pages] == [(1, 2), (2, 2), (2, 2)]
    assert [g.count for g in pages[1].groups] == [121], "of all pages"


def test_what_is_reported_beside_the_replicas_is_listed_too() -> None:
    (group,) = view(foreign("Old", replica="homeiq")).groups
    assert (group.id, group.count) == ("foreign-device", 1)


def test_nothing_differs() -> None:
    shown = view()
    assert (shown.total, shown.groups, shown.pages) == (0, [], 1)
