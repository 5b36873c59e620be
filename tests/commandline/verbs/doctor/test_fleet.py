"""What `reconcile doctor` says of the fleet that a home is shared in."""

from typing import Any

import pytest

from engine.commandline.verbs.doctor import fleet as module
from engine.commandline.verbs.doctor.fleet import check_fleet
from engine.composition import kafka
from engine.core.words import SyncStatus
from engine.replicas.kafka.fleet import Worker
from engine.replicas.kafka.sites.known_sites import KnownSites
from engine.replicas.kafka.sites.site_status import SiteStatus, WorkerStatus
from engine.settings.layers import load_settings
from engine.settings.sections import LoadedSettings
from engine.sites.sharing.digests import settings_digest
from tests.real.free_port import free_port

NOW_MS = 1_800_000_000_000


def loaded(**more: object) -> LoadedSettings:
    flags = {"site.name": "s1", "fleet.brokers": f"127.0.0.1:{free_port()}", "records.timeout_seconds": 5}
    return load_settings(flags | more, {}, None, None)


class MemoryFleet:
    """A fleet of one process, without a network."""

    partitions = 4

    def __init__(self, digest: str | None) -> None:
        self.members: tuple[Worker, ...] = (Worker("a", "10.0.0.1", (0, 1, 2, 3)),)
        self.known = KnownSites(4)
        self.tell_worker("a", s1=digest)
        self.send()

    def tell_worker(self, name: str, state: Any = "active", **settings: str | None) -> None:
        self.known.workers[name] = WorkerStatus(worker=name, state=state, ts_ms=NOW_MS, settings=settings)

    def send(self, **more: Any) -> None:
        given: dict[str, Any] = {"stage": "kept", "status": SyncStatus.IN_SYNC, "ts_ms": NOW_MS} | more
        self.known.note(SiteStatus(site="s1", owner="a", claim=1, **given))

    def said(self) -> KnownSites:
        return self.known

    def workers(self) -> tuple[Worker, ...]:
        return self.members


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> MemoryFleet:
    made = MemoryFleet(settings_digest(loaded().settings))
    monkeypatch.setattr(kafka, "open_fleet", lambda _loaded: made)
    monkeypatch.setattr(module, "time", lambda: NOW_MS / 1000)
    return made


def found() -> dict[str, tuple[str, str]]:
    return {check.name: (check.status, check.message) for check in check_fleet(loaded())}


def test_nothing_is_reported_without_a_fleet() -> None:
    assert list(check_fleet(load_settings({}, {}, None, None))) == []


def test_a_fleet_that_is_well(fleet: MemoryFleet) -> None:
    assert found() == {
        "fleet": ("ok", "1 process"),
        "fleet home": ("ok", "a keeps s1, in_sync"),
        "fleet settings": ("ok", "the same on all processes"),
    }


def test_homes_with_different_settings_in_processes_are_named(fleet: MemoryFleet) -> None:
    here = settings_digest(loaded().settings)
    fleet.tell_worker("a", s1=here, s2="x", s3=None)
    fleet.tell_worker("b", s1="other", s2="x")
    fleet.members += (Worker("b", "10.0.0.2", ()),)
    said = found()
    assert said["fleet settings"] == ("warn", f"processes differ on s1, s3; s1: a {here}, b other")
    assert said["fleet settings here"] == ("warn", "the settings of s1 here are not those of b")


@pytest.mark.parametrize(
    ("said", "word", "why"),
    [
        (
            {"stage": "unconfigured", "reason": "a has no settings file for it"},
            "fail",
            "has no settings file",
        ),
        ({"ts_ms": 0}, "warn", "has not reported on it lately"),
        ({"stage": "released"}, "warn", "a kept it before"),
    ],
)
def test_a_home_that_is_not_kept_is_a_finding(
    fleet: MemoryFleet, said: dict[str, Any], word: str, why: str
) -> None:
    fleet.send(**said)
    status, message = found()["fleet home"]
    assert status == word
    assert why in message


def test_a_home_without_a_process_and_strangers_are_findings(fleet: MemoryFleet) -> None:
    fleet.members = ()
    assert found()["fleet home"] == ("fail", "no process keeps s1")
    fleet.members = (Worker("stranger", "h", (0, 1, 2, 3)),)
    assert found()["fleet"] == (
        "warn",
        "stranger is a member of the consumer group but has not reported",
    )


def test_a_drained_process_is_named(fleet: MemoryFleet) -> None:
    fleet.tell_worker("b", "drained")
    assert found()["fleet"] == ("ok", "2 processes, of which b is drained")


@pytest.mark.slow
def test_a_cluster_that_is_away_is_a_finding() -> None:
    pytest.importorskip("confluent_kafka")
    [check] = check_fleet(loaded())
    assert (check.name, check.status) == ("fleet", "fail")
    assert "cannot" in check.message
