"""schemathesis: whatever the document allows is answered as it says, whatever it forbids is refused."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from api.app import ROUTES
from api.http.auth import AccessRules
from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.core.state.report import Report
from engine.sources.files.capture import CaptureSource
from tests.api.serving import SAMPLE, Api, MemoryTimeline, api_over
from tests.homes import NOON

TOKEN = "secret"
EXAMPLES = 40 if os.environ.get("RECONCILE_TEST_LONG") == "1" else 12  # of each route, valid and invalid
# All checks; a resume token may have expired, and what is far too long is refused by its length.
CONFIG = schemathesis.Config.from_dict(
    {
        "checks": {
            "positive_data_acceptance": {"expected-statuses": ["2xx", 404, 410, 503]},
            "negative_data_rejection": {"expected-statuses": [400, 401, 404, 414]},
        }
    }
)
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


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
    document: Any = schemathesis.openapi.from_asgi(
        "/openapi.json", running.app, headers=HEADERS, config=CONFIG
    )
    operation = document[path.replace(":path", "")]["GET"]
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        if mode is GenerationMode.NEGATIVE and not operation.query:
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: Any) -> None:
            # An empty list is nothing in a query string, so what it should make wrong is right when it arrives.
            assume(all(value not in ([], {}) for value in (case.query or {}).values()))
            # Not being ready is an answer, not an error: the feed is closed here.
            excluded = [not_a_server_error] if path == "/readyz" else []
            case.call_and_validate(headers=HEADERS, excluded_checks=excluded)

        check()
