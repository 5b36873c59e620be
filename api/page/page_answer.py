"""The answer to a request for a page: the page, or one that explains why there is none."""

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from api.http.problems import Problem, store_problem
from api.http.routing import LIVE_HEADERS
from api.page.templates import load_templates
from engine.errors import EngineError

HTML = "text/html; charset=utf-8"


async def answer_page(
    make: Callable[[], Awaitable[bytes]], problem_page: Callable[[Problem], bytes]
) -> Response:
    """The page from `make`; if it raises a Problem or an EngineError, the one from `problem_page`, with the problem's status."""
    await load_templates()
    try:
        return Response(await make(), 200, LIVE_HEADERS, HTML)
    except Problem as found:
        problem = found
    except EngineError as error:
        problem = store_problem(error)
    headers = {**LIVE_HEADERS, **problem.headers}
    return Response(problem_page(problem), problem.status, headers, HTML)
