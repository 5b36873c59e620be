"""A page, a refusal and a store that is away are all answered as pages."""

import pytest
from starlette.responses import Response

from api.http.problems import Problem
from api.page.page_answer import answer_page
from engine.errors import ReplicaUnavailable

pytestmark = pytest.mark.anyio


async def answered(error: Exception | None = None) -> Response:
    async def make() -> bytes:
        if error is not None:
            raise error
        return b"a page"

    return await answer_page(make, lambda problem: f"{problem.status}: {problem.detail}".encode())


async def test_a_page_is_answered_as_one_that_is_not_kept() -> None:
    answer = await answered()
    assert (answer.status_code, answer.body) == (200, b"a page")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("error", "status"), [(Problem(404, "No such page."), 404), (ReplicaUnavailable("rows", "away"), 503)]
)
async def test_an_error_is_a_page_with_its_status_and_headers(error: Exception, status: int) -> None:
    answer = await answered(error)
    assert answer.status_code == status
    assert bytes(answer.body).startswith(f"{status}: ".encode())
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
