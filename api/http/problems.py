"""Errors as RFC 9457 problem documents: one shape for every status of 400 and above."""

from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.core.times import rfc3339
from engine.errors import EngineError, HistoryForgotten

MEDIA_TYPE = "application/problem+json"
CURSOR_EXPIRED = "/problems/cursor-expired"
HISTORY_FORGOTTEN = "/problems/history-forgotten"
RETRY_SECONDS = 5


# The names of RFC 9110, which Python adopted in 3.13: answers must not depend on the interpreter.
_PHRASES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}


def phrase(status: int) -> str:
    """The name of a status."""
    return _PHRASES.get(status) or HTTPStatus(status).phrase


class Became(msgspec.Struct, frozen=True):
    """What became of the record: renamed, deleted, or lost (its row is gone without a delete)."""

    what: str
    id: str  # the id of its history
    now: str | None  # its current name
    at: str | None


class ProblemBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem document (RFC 9457)."""

    title: str
    status: int
    detail: str
    instance: str  # the path of the request
    type: str = "about:blank"
    oldest: int | None = None  # cursor-expired: the oldest change still available
    known_from: str | None = None  # history-forgotten: the time from which the past is known
    became: Became | None = None  # for a record that once had this name


class Problem(Exception):
    """Ends a request with a problem document. `detail` names the fault and the value."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        type_: str = "about:blank",
        oldest: int | None = None,
        became: Became | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.type = type_
        self.oldest = oldest
        self.known_from: str | None = None
        self.became = became
        self.headers = headers or {}

    def response(self, path: str) -> Response:
        """The document as a response to a request for `path`."""
        title = phrase(self.status)
        body = ProblemBody(
            title, self.status, self.detail, path, self.type, self.oldest, self.known_from, self.became
        )
        headers = {"cache-control": "no-store", **self.headers}
        return Response(msgspec.json.encode(body), self.status, headers, MEDIA_TYPE)


def store_problem(error: EngineError) -> Problem:
    """The problem for a store that cannot be read, or that forgot the requested time: the content is unknown, not empty."""
    if isinstance(error, HistoryForgotten):
        problem = Problem(410, str(error), type_=HISTORY_FORGOTTEN)
        problem.known_from = rfc3339(error.known_from)
        return problem
    return Problem(503, str(error), headers={"retry-after": str(RETRY_SECONDS)})


async def answer_problem(request: Request, error: Exception) -> Response:
    """Turn a handler's exception into a problem document."""
    path = request.url.path
    if isinstance(error, Problem):
        return error.response(path)
    if isinstance(error, EngineError):
        return store_problem(error).response(path)
    if isinstance(error, HTTPException):
        detail = f"There is nothing at {path}." if error.status_code == 404 else error.detail
        return Problem(error.status_code, detail, headers=dict(error.headers or {})).response(path)
    return Problem(500, "An error of this program; its log has the details.").response(path)


HANDLERS: dict[Any, Any] = dict.fromkeys((Problem, EngineError, HTTPException, Exception), answer_problem)
