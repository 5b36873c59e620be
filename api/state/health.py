"""Routes for the engine's state, all from memory: status, liveness, readiness."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.app_context import AppContext
from api.http.queries import NoQuery
from api.http.routing import answer_live, route
from engine.core.state.intervals import Freshness
from engine.core.state.report import RefusalReport, Report, left_by_kind, open_keys
from engine.core.state.status import (
    ReplicaStatus,
    Status,
    lag_seconds,
    replica_status,
    status_word,
    why_not_ready,
)
from engine.core.times import rfc3339
from engine.core.words import SyncStatus


class SourceState(msgspec.Struct, frozen=True):
    """The state of the connection to Home Assistant."""

    uri: str
    connected: bool
    version: str | None
    state: str | None
    connected_at: str | None
    last_message_at: str | None
    error: str | None


class ReplicaState(msgspec.Struct, frozen=True):
    """The state of one replica; null: unknown.

    `since`: when its status began, as far as this process knows: never before `started_at`. `differing`: the number of records
    that differed at the last comparison and still do; null while it is unknown, or if that was with another home. `lag_seconds` is the age of its proven content.
    """

    replica: str
    status: str
    since: str | None
    differing: int | None
    lag_seconds: float | None
    synced_at: str | None
    compared_at: str | None
    succeeded_at: str | None
    pending: int
    pending_since: str | None
    error: str | None


class Guard(msgspec.Struct, frozen=True):
    """A guard that held operations back in the last pass, and how to change that.

    `name` is the name for plan.allow_deletes of the deletes that it holds; null if that setting cannot allow them.
    """

    replica: str
    guard: str
    message: str
    hint: str
    held: int
    name: str | None = None


class StatusBody(msgspec.Struct, frozen=True):
    """The engine's current state. `differing`: the number of records on which a replica differs; null: unknown.

    `set_aside`: rows of Home Assistant that cannot be used; `/api/drift` names them.
    """

    status: str
    differing: int | None
    site: str
    version: str
    started_at: str
    source: SourceState
    replicas: list[ReplicaState]
    guards: list[Guard]
    run_id: str | None
    streams: int
    set_aside: int


class Alive(msgspec.Struct, frozen=True):
    """The process is alive."""

    status: str


class Health(msgspec.Struct, frozen=True):
    """ready or not_ready, the checks (source, each replica, store, service), and why one failed."""

    status: str
    checks: dict[str, bool]
    reasons: dict[str, str]


@route("/api/status", StatusBody)
async def get_status(context: AppContext, _request: Request, _query: NoQuery) -> Response:
    """The connection, and the status, lag and guards of each replica."""
    status, now = context.status(), context.clock()
    source = status.source
    report = status.report
    replicas = [_replica(replica, status, now, context.freshness) for replica in status.replicas]
    is_known = bool(replicas) and all(replica.differing is not None for replica in replicas)
    body = StatusBody(
        status=status_word(status, now, context.freshness),
        differing=len(open_keys(report)) if is_known else None,
        site=status.site,
        version=status.version,
        started_at=rfc3339(status.started_at),
        source=SourceState(
            source.uri,
            source.connected,
            source.version,
            source.state,
            _time(source.connected_at),
            _time(source.last_message_at),
            source.error,
        ),
        replicas=replicas,
        guards=[
            _guard(replica.replica, refusal)
            for replica in (report.replicas if report else ())
            for refusal in replica.refusals
        ],
        run_id=report.run_id if report else None,
        streams=context.feed.streams,
        set_aside=len(report.set_aside) if report else 0,
    )
    return answer_live(body)


@route("/healthz", Alive)
async def get_liveness(_given: AppContext, _request: Request, _query: NoQuery) -> Response:
    """The process is alive; needs no token.

    It checks nothing: a process that does not answer should be restarted.
    """
    return answer_live(Alive("ok"))


@route("/readyz", Health, statuses=(503,))
async def get_readiness(context: AppContext, _request: Request, _query: NoQuery) -> Response:
    """Whether the mirror can be relied on now: 200, or 503 with the reasons.

    It is 503 while the mirror is unknown, known to be wrong, or held back by a guard; see `why_not_ready`.
    """
    health = _health(context)
    return answer_live(health, 200 if health.status == "ready" else 503)


@route("/health", Health)
async def get_health(context: AppContext, _request: Request, _query: NoQuery) -> Response:
    """The body of /readyz, always with 200."""
    return answer_live(_health(context))


def _health(context: AppContext) -> Health:
    status, now = context.status(), context.clock()
    source = status.source
    why: dict[str, str | None] = {
        "source": None if source.connected else source.error or "Home Assistant was not reached yet",
        **{r.replica: why_not_ready(r, status.report, now, context.freshness) for r in status.replicas},
        "store": None if context.feed.is_readable else "the rows file cannot be read",
        "service": "it is ending" if context.feed.is_closed else None,
    }
    reasons = {name: reason for name, reason in why.items() if reason is not None}
    checks = {name: reason is None for name, reason in why.items()}
    return Health("not_ready" if reasons else "ready", checks, reasons)


def _replica(replica: ReplicaStatus, status: Status, now: float, freshness: Freshness) -> ReplicaState:
    word, since = replica_status(replica, now, freshness)
    lag = lag_seconds(replica, now)
    return ReplicaState(
        replica.replica,
        word,
        _time(since),
        None if word == SyncStatus.UNKNOWN else _differing(replica, status.report),
        None if lag is None else round(lag, 3),
        _time(replica.synced_at),
        _time(replica.compared_at),
        _time(replica.succeeded_at),
        replica.pending,
        _time(replica.pending_since),
        replica.error,
    )


def _differing(replica: ReplicaStatus, report: Report | None) -> int | None:
    looked_at = [r.replica for r in report.replicas if r.is_compared] if report else []
    if report is None or replica.replica not in looked_at:
        return None
    return sum(count for (name, _), count in left_by_kind(report).items() if name == replica.replica)


def _guard(replica: str, refusal: RefusalReport) -> Guard:
    return Guard(replica, refusal.guard, refusal.message, refusal.hint, refusal.held, refusal.name)


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)


ROUTES = (get_status, get_liveness, get_readiness, get_health)
