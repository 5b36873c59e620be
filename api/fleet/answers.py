"""The input of every route of a fleet view, and how far an answer can be trusted."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from api.fleet.ports import FleetView, Standing, ViewTransaction
from api.http.etags import RequestTag
from api.http.problems import RETRY_SECONDS, Problem
from api.http.routing import JSON, VARY
from engine.core.counts import plural
from engine.core.times import Instant, encode_document, rfc3339

T = TypeVar("T")

# Kafka is polled every few seconds; after this many it is away, or the view does not keep up.
CURRENT_SECONDS = 30.0


class Viewed(msgspec.Struct, frozen=True):
    """The view, the time of the request (Unix seconds), and a value unique to this process."""

    view: FleetView
    now: float
    process: str

    def standing(self) -> Standing:
        """How far the view has read. Raises Problem until it has once read everything."""
        standing = self.view.standing()
        if standing.as_of is None:
            raise Problem(503, why_not_ready(standing), headers={"retry-after": str(RETRY_SECONDS)})
        return standing

    def is_current(self, standing: Standing) -> bool:
        """Whether the view shows Kafka's content of a moment ago."""
        return standing.as_of is not None and is_of_now(standing.as_of, self.now)

    async def answer(
        self, request: Request, make: Callable[[ViewTransaction, Instant], msgspec.Struct]
    ) -> Response:
        """The answer about rows, or 304 if the client has the same one."""
        standing = self.standing()
        assert standing.as_of is not None
        as_of = Instant(standing.as_of)
        tag = RequestTag(request, self.process)
        # An answer that was current and is now outdated is a different answer.
        etag = tag.at(2 * standing.revision + self.is_current(standing))
        headers = {"cache-control": "no-cache", "vary": VARY, "etag": etag}
        if tag.is_known(etag):
            return Response(None, 304, headers)
        body = await self.view.read(lambda transaction: make(transaction, as_of))
        return Response(encode_document(body), 200, headers, JSON)


def check_asked(
    transaction: ViewTransaction, tag: str | UnsetType, site: str | UnsetType, now: float
) -> None:
    """Raises Problem 404 for a tag that no home has, and for an unknown home. Call it when nothing was found."""
    if tag is not UNSET and tag not in transaction.tags():
        raise Problem(404, f"No home of the fleet has the tag {tag[:64]!r}.")
    if site is not UNSET and not transaction.named_sites([site], now):
        raise Problem(404, f"The fleet has no home called {site[:64]!r}.")


_LEFT_OUT = {
    "newer": "{} by a newer version of this program: what they are about is not shown. Update this program.",
    "foreign": "{} that no process of the fleet wrote: they are left alone. Keep other programs from writing to its topics.",
    "unreadable": "{} that cannot be understood: what they are about is not shown.",
}


def left_out_notices(oddities: Mapping[str, int]) -> list[str]:
    """Notices about messages that are not in the view, one sentence per reason."""
    return [
        text.format(
            "There was a message"
            if oddities[why] == 1
            else f"There were {plural(oddities[why], 'message', ',')}"
        )
        for why, text in _LEFT_OUT.items()
        if oddities.get(why)
    ]


def why_not_ready(standing: Standing) -> str:
    """Why there is no answer yet."""
    behind = (
        ""
        if standing.behind is None
        else f" {plural(standing.behind, 'message', ',')} {'is' if standing.behind == 1 else 'are'} to come."
    )
    return standing.problem or f"The view has not read everything from Kafka yet.{behind}"


def is_of_now(as_of: float, now: float) -> bool:
    """Whether `as_of` is a moment ago. If the clock was set back, it is not."""
    return abs(now - as_of) <= CURRENT_SECONDS


def standing_notice(standing: Standing, now: float) -> str | None:
    """The notice for an outdated answer; None for a current one."""
    if standing.as_of is None:
        return why_not_ready(standing)
    if is_of_now(standing.as_of, now):
        return None
    reason = f" {standing.problem}" if standing.problem else ""
    return f"This is what Kafka held at {rfc3339(standing.as_of)}; nothing newer is known.{reason}"
