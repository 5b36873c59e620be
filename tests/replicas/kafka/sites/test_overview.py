"""A fleet at one moment: the group determines the owners, the owners report statuses, and old reports count as unknown."""

from typing import Any

import pytest

from engine.core.words import SyncStatus
from engine.replicas.kafka.fleet import Worker
from engine.replicas.kafka.messages import TopicEntry
from engine.replicas.kafka.sites.known_sites import KnownSites
from engine.replicas.kafka.sites.overview import FleetOverview, overview
from engine.replicas.kafka.sites.site_status import SiteStatus, WorkerStatus
from engine.replicas.kafka.topics import partition_of

NOW = 1_800_000_000.0
MS = int(NOW * 1000)
ALL = Worker("a", "10.0.0.1", (0, 1, 2, 3))
HOMES = [f"home{number}" for number in range(20)]


def home(owner: str = "a", **more: Any) -> SiteStatus:
    given = {"site": "s1", "claim": 1, "stage": "kept", "status": SyncStatus.IN_SYNC, "ts_ms": MS - 5_000}
    return SiteStatus(owner=owner, **(given | more))  # type: ignore[arg-type]


def worker(name: str, **more: Any) -> WorkerStatus:
    given: dict[str, Any] = {"state": "active", "ts_ms": MS - 5_000, "since_ms": MS - 60_000} | more
    return WorkerStatus(worker=name, **given)


def fleet(*said: SiteStatus | WorkerStatus, members: tuple[Worker, ...] = (ALL,)) -> FleetOverview:
    known = KnownSites(4)
    for status in said:
        if isinstance(status, SiteStatus):
            known.note(status)
        else:
            known.workers[status.worker] = status
    return overview(members, known, (), 4, NOW)


def test_a_process_keeps_the_homes_of_its_partitions() -> None:
    members = (Worker("b", "10.0.0.2", (1,)), Worker("a", "10.0.0.1", (0, 2, 3)))
    found = overview(members, KnownSites(4), HOMES, 4, NOW)
    assert [(w.name, w.partitions) for w in found.workers] == [("a", 3), ("b", 1)]
    assert sorted((*found.workers[0].homes, *found.workers[1].homes)) == sorted(HOMES)
    assert {partition_of(name, 4) for name in found.workers[1].homes} == {1}
    assert found.unowned == ()
    assert {site.status for site in found.sites} == {"unknown"}


def test_a_home_has_the_status_of_its_owners_message() -> None:
    records = {"entity": 160, "device": 4}
    found = fleet(home(records=records, since_ms=MS - 60_000, drift_records=0), worker("a")).sites[0]
    assert (found.name, found.owner, found.stage, found.status) == ("s1", "a", "kept", "in_sync")
    assert (found.records, found.since, found.said_at) == (164, NOW - 60, NOW - 5)
    assert (found.pending, found.differing, found.reason) == (0, 0, None)


@pytest.mark.parametrize(
    ("said", "members", "why"),
    [
        (home(ts_ms=MS - 121_000), (ALL,), "a has not reported on it lately"),
        (home(ts_ms=MS + 121_000), (ALL,), "a has not reported on it lately"),
        (home("b"), (ALL,), "a has not reported on it yet; b kept it before"),
        (home(stage="released"), (ALL,), "a has not reported on it yet; a kept it before"),
        (home(), (), "no process keeps it; a was the last to"),
        (home(), (Worker("b", "h", (0,)), Worker("a", "h", (1, 2, 3))), "b has not reported on it yet"),
    ],
)
def test_what_is_not_known_now_is_unknown(said: SiteStatus, members: tuple[Worker, ...], why: str) -> None:
    found = fleet(said, members=members)
    site = found.sites[0]
    assert partition_of("s1", 4) == 0
    assert (site.status, site.stage, site.pending, site.records) == ("unknown", None, None, None)
    assert why in (site.reason or "")
    assert site.said_at == said.ts_ms / 1000
    assert found.unowned == (("s1",) if members == () else ())


def test_drained_gone_and_silent_processes_are_distinguished() -> None:
    members = (ALL, Worker("stranger", "10.0.0.9", (5,)))
    found = fleet(
        worker("a"), worker("d", state="drained"), worker("gone"), worker("old", ts_ms=MS - 200_000),
        members=members,
    )  # fmt: skip
    assert {w.name: w.state for w in found.workers} == {
        "a": "active",
        "d": "drained",
        "gone": "away",
        "stranger": "silent",
    }
    assert [problem.partition(" (")[0] for problem in found.problems] == ["stranger"]
    assert "10.0.0.9" in found.problems[0]


def test_homes_without_a_file_and_settings_that_differ_are_named() -> None:
    found = fleet(
        home(stage="unconfigured", status=SyncStatus.UNKNOWN, reason="a has no settings file for it"),
        worker("a", settings={"s2": "x", "s3": "y", "s4": "z"}),
        worker("b", settings={"s1": "w", "s2": "x", "s3": "Y", "s4": None}),
        worker("c", state="drained", settings={}),
        members=(ALL, Worker("b", "h", ())),
    )
    assert found.unconfigured == ("s1",)
    assert {d.name: d.workers for d in found.differing_settings} == {
        "s1": {"a": "missing", "b": "w"},
        "s3": {"a": "y", "b": "Y"},
        "s4": {"a": "z", "b": "broken"},
    }
    assert "different settings of s1, s3, s4; of s1: a missing, b w" in found.problems[0]


def test_messages_of_others_are_named() -> None:
    known = KnownSites(4)
    for _ in range(3):
        known.fold(TopicEntry("homes.sites", 7, b"hello", b"{}"), 2, MS)
    problem = overview((), known, (), 4, NOW).problems[0]
    assert "offset 7 in partition 2 of homes.sites is ignored" in problem
    assert "So are 2 more." in problem
