"""What an application answers, held to its own document by schemathesis."""

from collections.abc import Sequence
from typing import Any

import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import GenerationMode

from tests.availability import IS_LONG

TOKEN = "secret"
EXAMPLES = 40 if IS_LONG else 6  # of each route, valid and invalid
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


def check_operation(app: Any, path: str, excluded: Sequence[Any] = ()) -> None:
    """Send what the document allows at a path, and what it forbids. `excluded` are checks that do not hold there."""
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
            # An empty list is nothing in a query string, so what it should make wrong is right when it arrives.
            assume(all(value not in ([], {}) for value in (case.query or {}).values()))
            case.call_and_validate(headers=HEADERS, excluded_checks=list(excluded))

        check()
