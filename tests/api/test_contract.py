"""schemathesis: requests that the document allows are answered as it says, all others refused."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.from_thread
import pytest
from schemathesis.checks import not_a_server_error

from api.app import ROUTES
from api.http.auth import AccessRules
from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.core.state.report import Report
from engine.sources.files.capture import CaptureSource
from tests.api.documented import TOKEN, check_operation
from tests.api.serving import SAMPLE, Api, MemoryTimeline, api_over
from tests.homes import NOON


@pytest.fixture(scope="module")
def running(sample: tuple[Path, Report]) -> Iterator[Api]:
    """The application, its feed closed so that no long poll waits."""
    snapshot = anyio.run(lambda: CaptureSource(SAMPLE, clock=lambda: NOON).read(lambda *_: None))
    revision = Revision(Key("device", "0"), NOON, "create", 1, "b2:0", "r1", {})
    timeline = MemoryTimeline(snapshot.home.records, [revision])
    timeline.since = float("-inf")
    with anyio.from_thread.start_blocking_portal("asyncio") as portal:
        context = api_over(*sample, access=AccessRules(token=TOKEN), timeline=timeline)
        with portal.wrap_async_context_manager(context) as api:
            portal.call(api.feed.close)
            yield api


@pytest.mark.slow
@pytest.mark.parametrize("path", [r.path for r in ROUTES if r.path != "/api/changes/stream"])
def test_the_application_keeps_its_document(running: Api, path: str) -> None:
    # Not being ready is an answer, not an error: the feed is closed here.
    excluded = [not_a_server_error] if path == "/readyz" else []
    check_operation(running.app, path.replace(":path", ""), excluded)
