"""The status that a process sends of a home is what it knows itself."""

from msgspec.structs import replace

from api.sites.ports import Stage
from engine.core.words import SyncStatus
from engine.replicas.kafka.sites.site_status import WorkerStatus, encode_site
from engine.sites.sharing.home_statuses import home_status, milliseconds, released, unconfigured
from tests.homes import NOON
from tests.sites.homes import away, kept, status_with

OWNER = WorkerStatus(worker="host-1", state="active", ts_ms=0, url="http://host:8099")


def test_a_home_that_is_kept() -> None:
    view = kept("one", "in_sync", "west", label="One")
    status = home_status(view, {"entity": 3}, OWNER, NOON)
    assert (status.site, status.label, status.tags, status.stage) == ("one", "One", ("west",), "kept")
    assert (status.owner, status.url) == ("host-1", "http://host:8099")
    assert (status.status, status.blocked, status.connected) == ("in_sync", False, True)
    assert (status.records, status.pending) == ({"entity": 3}, 0)
    assert (status.ts_ms, status.synced_ms) == (milliseconds(NOON), milliseconds(NOON))
    assert (status.source, status.ha_version) == ("ws://one:8123", "2026.11.0")


def test_since_when_all_stores_are_in_sync_or_the_first_is_not() -> None:
    first, second = (
        replace(status_with("in_sync").replicas[0], replica=name, status_since=since)
        for name, since in (("sqlite", NOON - 90), ("history", NOON - 60))
    )
    view = replace(kept("one"), status=replace(status_with("in_sync"), replicas=(first, second)))
    assert home_status(view, {}, OWNER, NOON).since_ms == milliseconds(NOON - 60)
    wrong = [replace(r, status=SyncStatus.BLOCKED) for r in (first, second)]
    view = replace(view, status=replace(status_with("in_sync"), replicas=tuple(wrong)))
    found = home_status(view, {}, OWNER, NOON)
    assert (found.since_ms, found.blocked) == (milliseconds(NOON - 90), True)


def test_a_home_that_is_not_kept_says_why_and_fits_into_a_message() -> None:
    status = home_status(away("two", Stage.INVALID, "x" * 5000), {}, OWNER, NOON)
    assert (status.stage, status.status, status.since_ms) == ("invalid", "unknown", None)
    assert status.reason == "x" * 1000
    assert encode_site("t", status).value


def test_a_released_or_unconfigured_home_is_unknown() -> None:
    status = home_status(kept("one"), {"entity": 3}, OWNER, NOON)
    ended = released(status, NOON + 5)
    assert (ended.stage, ended.status, ended.connected) == ("released", "unknown", False)
    assert (ended.since_ms, ended.synced_ms) == (milliseconds(NOON + 5), milliseconds(NOON))
    alien = unconfigured(status, replace(OWNER, worker="host-2"), None, "sites.d", NOON)
    assert (alien.stage, alien.status, alien.owner) == ("unconfigured", "unknown", "host-2")
    assert alien.reason == "host-2 has no settings file for it in sites.d"
    assert alien.records == {"entity": 3}
