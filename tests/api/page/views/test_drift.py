"""The drift table: the content on every side, and the reason the record is listed."""

from typing import Any

import pytest

from api.page.views.drift import DriftView, drift_view, record_href
from engine.core.compare.diff import Cause
from engine.core.state.status import ReplicaStatus, Status
from engine.core.words import SyncStatus
from tests.api.serving import status_of
from tests.commandline.reports import added, changed, foreign, record, removed

NAMES = {("area", "kitchen"): "Küche"}


def status(error: str | None = None) -> Status:
    return status_of(
        None,
        replicas=(
            ReplicaStatus("sqlite", SyncStatus.UNKNOWN),
            ReplicaStatus("history", SyncStatus.UNKNOWN, error=error),
        ),
    )


def view(*records: Any, page: int = 1, size: int = 100, error: str | None = None) -> DriftView:
    return drift_view(records, status(error), NAMES, page, size)


def test_a_changed_field_is_shown_on_both_sides_old_to_new() -> None:
    shown = view(changed("Lamp", ("name", "Mocked", "Lamp"), ("area_id", None, "kitchen"), cause=Cause.DRIFT))
    assert shown.titles == ["Home Assistant", "SQLite", "History file"]
    (row,) = shown.rows
    source, sqlite, history = row.sides
    assert [(f.label, f.is_, f.has_was) for f in source.fields] == [
        ("name", "Lamp", False),
        ("area", "Küche", False),
    ]
    assert [(f.label, f.was, f.is_) for f in sqlite.fields] == [
        ("name", "Mocked", "Lamp"),
        ("area", None, "Küche"),
    ]
    assert history.note == "as in Home Assistant"
    assert row.causes == ["Drift: changed in SQLite"]
    assert row.fates == ["Will be written with the next pass"]


def test_a_record_that_differs_in_two_replicas_is_one_row() -> None:
    shown = view(added("Lamp"), added("Lamp", replica="history", outcome="failed"))
    (row,) = shown.rows
    assert [side.note for side in row.sides] == ["has it", "not there", "not there"]
    assert row.fates == [
        "SQLite: will be written with the next pass",
        "History file: could not be written; it is tried again",
    ]


def test_a_foreign_row_shows_its_reasons_and_the_command_to_delete_it() -> None:
    (row,) = view(foreign("Sun")).rows
    assert [side.note for side in row.sides] == ["does not know it", "has it", "not there"]
    assert row.causes == ["Foreign row in SQLite"]
    assert "no entity belongs to it" in row.reasons
    assert "plan.prune_foreign" in row.fates[0]
    assert row.since is None


def test_a_side_that_was_not_read_is_not_known() -> None:
    (row,) = view(removed("Lamp", outcome="waiting"), error="away").rows
    assert [side.note for side in row.sides] == ["not there any more", "has it", "not known"]
    assert "second look" in row.fates[0]


def test_what_is_reported_beside_the_replicas_has_a_side_of_its_own() -> None:
    shown = view(foreign("Old", replica="homeiq"))
    assert shown.titles[-1] == "homeiq"
    assert [side.note for side in shown.rows[0].sides][-1] == "has it"


@pytest.mark.parametrize("outcome", ["planned", "held", "waiting", "observed", "failed", "reported"])
def test_every_outcome_has_words(outcome: str) -> None:
    (row,) = view(record("Lamp", outcome=outcome)).rows
    assert row.fates != [outcome.capitalize()]


def test_pages_hold_all_rows_once() -> None:
    records = [record(f"r{n:02}") for n in range(25)]
    pages = [view(*records, page=n, size=10) for n in (1, 2, 3)]
    assert [len(p.rows) for p in pages] == [10, 10, 5]
    assert [row.known_as for p in pages for row in p.rows] == sorted(r.key for r in records)
    assert {(p.total, p.pages) for p in pages} == {(25, 3)}
    assert view(*records, page=99, size=10).page == 3
    assert view().pages == 1


def test_an_entitys_secret_options_are_not_shown() -> None:
    (row,) = view(changed("Lock", ("options", {"lock": {"default_code": "1234"}}, {}))).rows
    assert "1234" not in repr(row)


def test_records_with_a_page_of_their_own_are_linked() -> None:
    assert record_href("entity", "light.a b") == "entity?id=light.a+b"
    assert record_href("area", "kitchen") == "area?id=kitchen"
    assert record_href("config_entry", "x") == "integration?id=x"
