"""Routes of the change feed: pages with long poll, and the stream."""

import anyio
import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from api.app_context import AppContext
from api.changes.envelope import Change, change_of_row
from api.changes.stream import EventStream, StreamStart
from api.http.problems import CURSOR_EXPIRED, Problem
from api.http.queries import SEQ_MAX, ChangesQuery, StreamQuery
from api.http.routing import EVENT_STREAM, answer_live, route
from api.ports import ReadTransaction


class ChangesPage(msgspec.Struct, frozen=True):
    """Changes, oldest first. Continue with `after` = `next`; `oldest` is the oldest change still available."""

    changes: list[Change]
    count: int
    limit: int
    next: int
    oldest: int | None


@route("/api/changes", ChangesPage, statuses=(410, 503))
async def list_changes(context: AppContext, request: Request, query: ChangesQuery) -> Response:
    """The change feed; with `wait` a long poll.

    It answers immediately if there are changes, else as soon as there is one, or after `wait` seconds without any.
    """
    after = 0 if query.after is UNSET else query.after
    registry = None if query.registry is UNSET else query.registry

    def job(transaction: ReadTransaction) -> tuple[ChangesPage, int]:
        oldest, newest = transaction.feed_bounds()
        if query.after is not UNSET and (after > newest or (after < newest and after + 1 < oldest)):
            raise _expired(after, oldest)
        changes = [change_of_row(row) for row in transaction.changes(after, query.limit, registry)]
        # A page that is not full has searched the whole feed, even if the filter removed changes.
        next_ = changes[-1].seq if len(changes) == query.limit else newest
        return ChangesPage(changes, len(changes), query.limit, next_, oldest or None), newest

    page, newest = await context.rows_reader.read(job)
    if query.wait and not page.changes and request.method != "HEAD":
        with anyio.move_on_after(query.wait):
            while not page.changes and not context.feed.is_closed:
                await context.feed.wait_newer(newest)
                page, newest = await context.rows_reader.read(job)
    return answer_live(page)


@route("/api/changes/stream", str, statuses=(503,), media_type=EVENT_STREAM)
async def stream_changes(context: AppContext, request: Request, query: StreamQuery) -> Response:
    """The change feed as server-sent events: change, reset, bye. Last-Event-ID resumes."""
    last = request.headers.get("last-event-id", "")
    if last and not (last.isascii() and last.isdigit() and int(last[:17]) <= SEQ_MAX and len(last) <= 16):
        raise Problem(400, "Last-Event-ID is not the number of a change.")
    registry = None if query.registry is UNSET else query.registry
    return EventStream(context.feed, context.rows_reader, StreamStart(int(last) if last else None, registry))


def _expired(after: int, oldest: int) -> Problem:
    return Problem(
        410,
        f"There is no change {after} to continue from. Read the lists again, and continue from the newest change.",
        type_=CURSOR_EXPIRED,
        oldest=oldest or None,
    )


ROUTES = (list_changes, stream_changes)
