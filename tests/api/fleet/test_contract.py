"""schemathesis over a fleet view: whatever its document allows is answered as it says, whatever it forbids is refused."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import GenerationMode

from api.app_context import AppOptions
from api.fleet.app import build_view_app
from api.fleet.routes import ROUTES
from api.http.auth import AccessRules
from tests.api.fleet.views import SAID, MemoryView
from tests.api.test_contract import CONFIG, EXAMPLES, HEADERS, TOKEN
from tests.homes import NOON


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    view = MemoryView(tmp_path_factory.mktemp("view"), *SAID)
    return build_view_app(view, lambda: NOON, AppOptions(access=AccessRules(token=TOKEN)), "process")


@pytest.mark.slow
@pytest.mark.parametrize("path", [route.path for route in ROUTES if not route.path.endswith("/stream")])
def test_a_view_keeps_its_document(app: Any, path: str) -> None:
    document: Any = schemathesis.openapi.from_asgi("/openapi.json", app, headers=HEADERS, config=CONFIG)
    operation = document[path]["GET"]
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
            assume(all(value not in ([], {}) for value in (case.query or {}).values()))
            case.call_and_validate(headers=HEADERS)

        check()
