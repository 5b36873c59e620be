"""The status of homes: their owners' last messages, for as long as they are valid."""

from pathlib import Path

from api.fleet.bodies import ViewedSite
from api.fleet.queries import ViewedDevicesQuery, ViewedModelsQuery, ViewedSitesQuery
from engine.fleet_view.view_file.reading import ViewReader
from engine.replicas.kafka.sites.site_status import FRESH_MS
from tests.fleet_view.viewed import reader_of, removed_site, said_device, said_site
from tests.homes import NOON

FRESH = FRESH_MS / 1000
SINCE = round((NOON - 3600) * 1000)


def sites(
    reader: ViewReader, now: float = NOON, *, worst_first: bool = False, **query: object
) -> list[ViewedSite]:
    with reader.transaction() as transaction:
        return transaction.sites(ViewedSitesQuery(**query), now, worst_first=worst_first)  # type: ignore[arg-type]


def names(reader: ViewReader, now: float = NOON, **query: object) -> list[str]:
    return [site.name for site in sites(reader, now, **query)]  # type: ignore[arg-type]


def test_a_home_has_the_status_from_its_owner_while_that_is_fresh(tmp_path: Path) -> None:
    said = said_site(
        "a",
        "out_of_sync",
        label="North",
        url="https://north.example/",
        since_ms=SINCE,
        reason="the disk is full",
        connected=True,
        heard_ms=SINCE,
        records={"device": 3, "entity": 40},
        drift_records=2,
        pending=1,
        synced_ms=SINCE,
        ha_version="2026.11.0",
    )
    reader = reader_of(tmp_path, said, said_device("a", "d1"))
    (now,) = sites(reader, NOON + FRESH)
    assert (now.status, now.reason, now.url) == ("out_of_sync", "the disk is full", "https://north.example/")
    assert (now.connected, now.pending, now.differing, now.records, now.devices) == (True, 1, 2, 43, 1)
    assert (now.since, now.heard_at, now.synced_at, now.said_at) == (
        NOON - 3600,
        NOON - 3600,
        NOON - 3600,
        NOON,
    )
    (old,) = sites(reader, NOON + FRESH + 1)
    assert (old.status, old.connected, old.pending, old.differing) == ("unknown", None, None, None)
    assert old.since == old.said_at == NOON
    assert old.reason == "The process that keeps it, worker-1, last reported at 2026-11-23T12:00:00.000Z."
    (ahead,) = sites(reader, NOON - FRESH - 1)
    assert ahead.status == "unknown"


def test_a_home_that_was_released_or_never_reported_is_unknown(tmp_path: Path) -> None:
    reader = reader_of(tmp_path, said_site("given-up", stage="released"), said_device("unsaid", "d1"))
    given_up, unsaid = sites(reader)
    assert (given_up.status, given_up.stage) == ("unknown", "released")
    assert "gave it up" in (given_up.reason or "")
    assert (unsaid.status, unsaid.devices, unsaid.reason) == (
        "unknown",
        1,
        "No process has reported on it.",
    )


def test_a_home_without_a_message_and_a_device_is_none(tmp_path: Path) -> None:
    reader = reader_of(
        tmp_path, said_site("a"), removed_site("a"), said_site("b"), removed_site("b"), said_device("b", "d")
    )
    assert names(reader) == ["b"]


def test_homes_are_found_and_counted(tmp_path: Path) -> None:
    reader = reader_of(
        tmp_path,
        said_site("a", "in_sync", tags=("west",), connected=True),
        said_site("b", "blocked", label="Süd", source="ws://b.example"),
        said_site("c", "in_sync", tags=("west", "big"), at=NOON - 2 * FRESH, connected=True),
        said_site("d", "in_sync", connected=False),
    )
    assert names(reader, tag="west") == ["a", "c"]
    assert names(reader, q="SÜD") == ["b"]
    assert names(reader, q="b.EXAMPLE") == ["b"]
    assert names(reader, status="unknown") == ["c"]
    assert names(reader, connected=True) == ["a"]
    assert names(reader, connected=False) == ["b", "d"]
    assert names(reader, after="b") == ["c", "d"]
    assert names(reader, limit=2) == ["a", "b", "c"]  # one more says that there is another page
    with reader.transaction() as transaction:
        assert transaction.counts(ViewedSitesQuery(tag="west", status="in_sync"), NOON) == {
            "blocked": 0,
            "out_of_sync": 0,
            "unknown": 1,
            "in_sync": 1,
        }
        assert transaction.tags() == ["big", "west"]


def test_what_can_be_no_tag_finds_no_home(tmp_path: Path) -> None:
    reader = reader_of(tmp_path, said_site("a", tags=("big", "west")), said_site("b"), said_device("a", "d1"))
    for tag in ("", " ", "big west", "west "):
        assert names(reader, tag=tag) == []
        with reader.transaction() as transaction:
            assert transaction.devices(ViewedDevicesQuery(tag=tag)) == ([], None)
            assert transaction.models(ViewedModelsQuery(tag=tag)) == ([], 0)


def test_the_worst_come_first(tmp_path: Path) -> None:
    reader = reader_of(
        tmp_path,
        said_site("a", "in_sync"),
        said_site("b", "unknown"),
        said_site("c", "out_of_sync", drift_records=1),
        said_site("d", "out_of_sync", drift_records=9),
        said_site("e", "blocked"),
        said_site("f", "unknown", stage="failed"),
    )
    assert "".join(site.name for site in sites(reader, worst_first=True)) == "fedcba"
