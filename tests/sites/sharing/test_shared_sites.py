"""What the API is given of homes that processes share: this process's own, and who keeps the others."""

from pathlib import Path

import pytest

from api.sites.ports import Elsewhere, Stage
from engine.core.words import SyncStatus
from engine.replicas.kafka.sites.site_status import SiteStatus
from engine.sites.sharing.home_statuses import milliseconds
from engine.sites.sharing.home_tokens import HomeTokens
from engine.sites.sharing.shared_sites import SharedSites
from tests.api.serving import eventually
from tests.fakes.site_topic import MemoryTopic
from tests.homes import NOON
from tests.sites.sharing.test_status_exchange import Process
from tests.sites.test_fleet import add, running

pytestmark = pytest.mark.anyio


def said(owner: str = "two", **more: object) -> SiteStatus:
    given = {"url": f"http://{owner}:8099", "stage": "kept", "ts_ms": milliseconds(NOON)} | more
    return SiteStatus(site="far", owner=owner, claim=1, status=SyncStatus.IN_SYNC, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (said(), Elsewhere("two", "http://two:8099", is_current=True)),
        (said(url=""), Elsewhere("two", "", is_current=True)),
        (said(url="http://one:8099/"), Elsewhere("two", "", is_current=True)),  # this process's own
        (said(stage="released"), Elsewhere("two", "http://two:8099", is_current=False)),
        (said(ts_ms=0), Elsewhere("two", "http://two:8099", is_current=False)),
        (said("one", url="http://two:8099"), Elsewhere("one", "http://two:8099", is_current=False)),
    ],
)
def test_a_home_is_at_its_latest_owner_with_a_recent_message(status: SiteStatus, expected: Elsewhere) -> None:
    process = Process(MemoryTopic(), "one")
    process.exchange.known.note(status)
    assert process.exchange.elsewhere("far") == expected
    assert process.exchange.elsewhere("none") is None
    process.has_files_of("none")
    assert process.exchange.elsewhere("none") == Elsewhere("", "", is_current=False)


async def test_own_homes_are_those_of_the_process(tmp_path: Path) -> None:
    (tmp_path / "sites.d").mkdir()
    add(tmp_path, "one")
    process = Process(MemoryTopic(), "one")
    async with running(tmp_path) as fleet:
        sites = SharedSites(fleet, process.exchange, HomeTokens())
        await eventually(lambda: [view.name for view in sites.views()] == ["one"])
        await eventually(lambda: (view := sites.view("one")) is not None and view.stage == "kept")
        assert await sites.open("one") is not None
        assert await sites.read("one", lambda transaction: transaction.count("device", ())) is not None
        assert sites.token("one") is None
        assert b'site="one"' in sites.metrics("one", "")[0]
        assert not sites.is_closed
        with sites.follow():
            pass
        process.exchange.unconfigured = (said(stage="unconfigured", reason="two has no file for it"),)
        assert [(view.name, view.stage) for view in sites.views()] == [
            ("far", Stage.UNCONFIGURED),
            ("one", Stage.KEPT),
        ]
        lost = sites.view("far")
        assert lost is not None
        assert lost.reason == "two has no file for it"
        assert await sites.open("far") is None


def test_a_drained_process_reports_it_with_the_command_that_resumes_it(tmp_path: Path) -> None:
    process = Process(MemoryTopic(), "one")
    sites = SharedSites(None, process.exchange, HomeTokens())  # type: ignore[arg-type]
    assert sites.drained is None
    process.exchange.note_drained(NOON)
    assert "reconcile fleet resume" in str(sites.drained)
    process.exchange.note_drained(None)
    assert sites.drained is None
