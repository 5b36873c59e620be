"""Routes of the passes that wrote something."""

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from api.app_context import AppContext
from api.http.problems import Problem
from api.http.queries import NoQuery, RunsQuery
from api.http.routing import answer_live, route
from api.ports import ReadTransaction, Row
from engine.core.times import rfc3339


class RunBody(msgspec.Struct, frozen=True):
    """A pass that wrote rows: when and from where Home Assistant was read, and the numbers of operations."""

    run_id: str
    started_at: str
    origin: str
    ha_version: str | None
    upserts: int
    moves: int
    deletes: int


class RunsPage(msgspec.Struct, frozen=True):
    """Writing passes, newest first. Continue with `before` = `next`."""

    runs: list[RunBody]
    count: int
    limit: int
    next: str | None


@route("/api/runs", RunsPage, statuses=(404, 503))
async def list_runs(context: AppContext, _request: Request, query: RunsQuery) -> Response:
    """Passes that wrote rows, newest first."""
    before = None if query.before is UNSET else query.before

    def job(transaction: ReadTransaction) -> RunsPage:
        if before is not None and transaction.run(before) is None:
            raise _no_run(before)
        rows = transaction.runs(before, query.limit + 1)
        runs = [_run(row) for row in rows[: query.limit]]
        return RunsPage(runs, len(runs), query.limit, runs[-1].run_id if len(rows) > query.limit else None)

    return answer_live(await context.rows_reader.read(job))


@route("/api/runs/{id}", RunBody, statuses=(404, 503))
async def get_run(context: AppContext, request: Request, _query: NoQuery) -> Response:
    """One pass that wrote rows."""
    run_id = request.path_params["id"]
    row = await context.rows_reader.read(lambda transaction: transaction.run(run_id))
    if row is None:
        raise _no_run(run_id)
    return answer_live(_run(row))


def _no_run(run_id: str) -> Problem:
    return Problem(404, f"There is no run {run_id[:255]!r}; runs that wrote nothing are not kept.")


def _run(row: Row) -> RunBody:
    run_id, started_at, *rest = row
    return RunBody(run_id, rfc3339(started_at), *rest)


ROUTES = (list_runs, get_run)
