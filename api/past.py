"""The home in the past: device and entity routes with `at`, and histories, from the records replica."""

from collections.abc import Callable, Container, Sequence
from datetime import datetime
from typing import Any, TypeVar

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.app_context import AppContext
from api.http.problems import Problem
from api.http.queries import HistoryQuery
from api.http.routing import answer_live, route
from api.past_homes import AskedRecord
from api.ports import PastRevision, ReadTransaction, Row, Timeline
from api.registries.bodies.devices_and_entities import served_fields
from api.registries.bodies.sync import Sync
from api.registries.bodies.sync_now import sync_now
from api.registries.fate import find_fate, missing
from engine.core.records.record import Key
from engine.core.spelling import spellings
from engine.core.state.kept_past import Forgotten
from engine.core.state.status import known_until
from engine.core.times import rfc3339
from engine.errors import SourceInvalid

T = TypeVar("T")


class RevisionBody(msgspec.Struct, frozen=True):
    """One version of a record, from `at` until the next. A delete has no fields and the hash "-"."""

    rev: int
    at: str
    op: str
    hash: str
    run_id: str
    fields: dict[str, Any]


class DeviceHistory(msgspec.Struct, frozen=True):
    """The versions of a device, oldest first; `next` is the `after` of the next page. `sync` is the current one.

    `forgotten`: the number of versions before `known_from` or removed by thinning (`history.thin_seconds`).
    """

    device_id: str
    revisions: list[RevisionBody]
    count: int
    limit: int
    total: int
    next: int | None
    known_from: str | None
    forgotten: int
    sync: Sync | None = None


class EntityHistory(msgspec.Struct, frozen=True):
    """The versions of an entity, including those under earlier entity_ids; `id` is its registry id."""

    entity_id: str | None
    id: str
    revisions: list[RevisionBody]
    count: int
    limit: int
    total: int
    next: int | None
    known_from: str | None
    forgotten: int
    sync: Sync | None = None


@route("/api/devices/{id}/history", DeviceHistory, statuses=(404, 501, 503))
async def get_device_history(context: AppContext, request: Request, query: HistoryQuery) -> Response:
    """The versions of a device, oldest first.

    Also of a device that is gone.
    """
    asked = request.path_params["id"]
    key = await _spelled(context, Key("device", asked))
    past = await _past_of_key(context, key, asked, query)
    sync = await sync_now(context, key)
    return answer_live(DeviceHistory(key.id, *_history_page(past, query), sync))


@route("/api/entities/{id}/history", EntityHistory, statuses=(404, 501, 503))
async def get_entity_history(context: AppContext, request: Request, query: HistoryQuery) -> Response:
    """The versions of an entity, oldest first, by its entity_id, or its registry id.

    By any entity_id it ever had, because an entity that is gone has no current one.
    """
    asked = request.path_params["id"]
    if context.timeline is None:
        raise _no_records()
    row = await context.rows_reader.read(lambda transaction: _entity_row(transaction, asked))
    key = await _spelled(context, Key("entity", asked)) if row is None else Key("entity", row[1] or row[0])
    if row is None and not await in_timeline(context, lambda timeline: timeline.count(key)):
        # Not a registry id with versions: perhaps a former entity_id.
        fate = await find_fate(context, "entity", asked)
        row = (fate.now_called, fate.id) if fate else None
    entity_id, id_ = (row[0], row[1] or row[0] or asked) if row else (None, key.id)
    key = Key("entity", id_)
    past = await _past_of_key(context, key, asked, query)
    sync = await sync_now(context, key, entity_id)
    return answer_live(EntityHistory(entity_id, id_, *_history_page(past, query), sync))


def _entity_row(transaction: ReadTransaction, asked: str) -> Row | None:
    """(entity_id, id) of the row with this entity_id, or else with this registry id."""
    rows = transaction.rows("entity", ("id",), [asked])
    row = transaction.row("entity", ("id",), asked) or (rows[0] if rows else None)
    return row or transaction.row("entity", ("id",), transaction.spelled("entity", asked))


async def _spelled(context: AppContext, key: Key) -> Key:
    """The first of the keys with this id, written in any case, that has versions; else the key. Raises Problem 501, ReplicaError."""
    keys = [Key(key.registry, id_) for id_ in (key.id, *spellings(key.id))]
    return await in_timeline(
        context, lambda timeline: next((each for each in keys if timeline.count(each)), key)
    )


class _Past(msgspec.Struct, frozen=True):
    """A page of revisions and one more, oldest first; the number of all; and what was forgotten."""

    revisions: Sequence[PastRevision]
    total: int
    forgotten: Forgotten


async def _past_of_key(context: AppContext, key: Key, asked: str, query: HistoryQuery) -> _Past:
    """The requested versions. Raises Problem 404 when a key has none."""

    def read(timeline: Timeline) -> _Past:
        page = timeline.timeline(key, after=query.after, limit=query.limit + 1)
        return _Past(page, timeline.count(key), timeline.forgotten(key))

    past = await in_timeline(context, read)
    if past.total:
        return past
    what = f"the {key.registry} {asked[:255]!r}"
    if await context.rows_reader.read(lambda transaction: transaction.rows(key.registry, (), [key.id])):
        raise Problem(
            404,
            f"The records have no version of {what}, although it has a row: a foreign one, or one not yet recorded.",
        )
    known_from = past.forgotten.known_from
    reach = (
        "as far as the records reach"
        if known_from is None
        else f"since {rfc3339(known_from)}; what was before is forgotten"
    )
    raise await missing(context, key.registry, asked, f"There never was {what}, {reach}.")


def _history_page(
    past: _Past, query: HistoryQuery
) -> tuple[list[RevisionBody], int, int, int, int | None, str | None, int]:
    """(revisions, count, limit, total, next, known_from, forgotten)."""
    page = [
        RevisionBody(r.rev, rfc3339(r.at), r.op, r.hash, r.run_id, served_fields(r.fields))
        for r in past.revisions[: query.limit]
    ]
    next_rev = page[-1].rev if len(past.revisions) > query.limit else None
    known_from = None if past.forgotten.known_from is None else rfc3339(past.forgotten.known_from)
    return page, len(page), query.limit, past.total, next_rev, known_from, past.forgotten.revisions


ROUTES = (get_device_history, get_entity_history)


async def in_timeline(context: AppContext, job: Callable[[Timeline], T]) -> T:
    """A job's result from the records, in a worker thread. Raises Problem 501 without a records replica, ReplicaError."""
    timeline = context.timeline
    if timeline is None:
        raise _no_records()
    return await anyio.to_thread.run_sync(lambda: job(timeline), limiter=context.timeline_limiter)


async def recorded_delays(context: AppContext, since: float) -> Sequence[tuple[float, float]]:
    """The delays of updates since a time (Unix seconds), as `Timeline.delays`; empty without a records replica."""
    if context.timeline is None:
        return ()
    return await in_timeline(context, lambda timeline: timeline.delays(since))


def _no_records() -> Problem:
    return Problem(501, "There is no records replica, so the past is not known. Set records.uri.")


async def read_past(
    context: AppContext,
    at: datetime,
    registries: Container[str],
    job: Callable[[ReadTransaction], T],
    asked: AskedRecord | None = None,
) -> T:
    """A job's result from the rows of a time, in a worker thread; they cover at least one record and these registries.

    Raises Problem when that time is unknown, or a record of these registries cannot be read; ReplicaError.
    """
    _check_known(context, at)

    def read(timeline: Timeline) -> T:
        assert context.make_rows is not None, "comes with the timeline"
        try:
            home = context.past_homes.at(timeline, context.make_rows, at, asked)
        except SourceInvalid as error:
            raise _unreadable(at, error.message) from error
        for registry, why in home.unreadable.items():
            if registry in registries:
                raise _unreadable(at, why)
        return job(home.rows)

    return await in_timeline(context, read)


def _check_known(context: AppContext, at: datetime) -> None:
    """Raise Problem 404 for a time of which nothing is known yet: the newest that is recorded may be long out of date by then."""
    now = context.clock()
    counts_until, slack = known_until(context.status(), context.past_replica, context.freshness) or (
        now,
        context.freshness.unknown_seconds,
    )
    if at.timestamp() > counts_until + slack:
        future = ", which is yet to come" if at.timestamp() > now else ""
        raise Problem(
            404,
            f"The records are known up to {rfc3339(counts_until)}, and not to {rfc3339(at.timestamp())}{future}.",
        )


def _unreadable(at: datetime, why: str) -> Problem:
    return Problem(503, f"A record of {rfc3339(at.timestamp())} cannot be read. {why}")
