"""schemathesis over a fleet view: requests that its document allows are answered as it says, all others refused."""

from typing import Any

import pytest

from api.app_context import AppOptions
from api.fleet.app import build_view_app
from api.fleet.routes import ROUTES
from api.http.auth import AccessRules
from tests.api.documented import TOKEN, check_operation
from tests.api.fleet.views import SAID, MemoryView
from tests.homes import NOON


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    view = MemoryView(tmp_path_factory.mktemp("view"), *SAID)
    return build_view_app(view, lambda: NOON, AppOptions(access=AccessRules(token=TOKEN)), "process")


@pytest.mark.slow
@pytest.mark.parametrize("path", [route.path for route in ROUTES if not route.path.endswith("/stream")])
def test_a_view_keeps_its_document(app: Any, path: str) -> None:
    check_operation(app, path)
