"""Routes over all homes: devices and models, differences, and current changes.

Rows are read home by home, a few at a time, and only for homes that are kept: an answer has the number of unread homes.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, TypeVar

import anyio
import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.fleet.bodies import FleetDevice, FleetModel
from api.http import event_streams
from api.http.event_streams import KEEP_ALIVE, RETRY, begin, end, end_when_gone, say_bye, send_piece
from api.http.queries import After, Limit100, Limit10000, NoQuery, Text
from api.http.routing import EVENT_STREAM, Route, answer_live, route
from api.ports import ReadTransaction, Row
from api.registries.lists import filters_of
from api.registries.selection import Selection, filters_for
from api.sites.listing import Asked, Tag, check_home, check_tag
from api.sites.ports import SiteChange, Sites
from engine.core.state.report import open_records
from engine.core.state.status import replica_status
from engine.core.times import Instant
from engine.core.words import SyncStatus
from engine.errors import EngineError

T = TypeVar("T")

_AT_ONCE = 4
_COLUMNS = ("effective_name", "manufacturer", "model", "sw_version", "hw_version")
_ROWS_MAX = 1_000_000


class FleetDevicesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of devices of all homes; all filters must hold."""

    limit: Limit100 = 100
    after: After = ""
    q: Annotated[
        Text,
        Meta(
            description="all of these words are in a name (also an earlier one), an id or a model, in any case"
        ),
    ] = ""
    site: Annotated[Text, Meta(description="in this home")] | UnsetType = UNSET
    manufacturer: Annotated[Text, Meta(description="in any case; Unknown: has none")] | UnsetType = UNSET
    model: Annotated[Text, Meta(description="in any case; Unknown: has none")] | UnsetType = UNSET
    sw_version: Annotated[Text, Meta(description="-: has none")] | UnsetType = UNSET
    tag: Tag | UnsetType = UNSET


class FleetDriftQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The differences, up to a limit."""

    limit: Limit10000 = 1000
    tag: Tag | UnsetType = UNSET


class FleetModelsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Models of the homes with a tag, or of all."""

    tag: Tag | UnsetType = UNSET


class FleetDevicesPage(msgspec.Struct, frozen=True):
    """A page, by home and device. `not_asked` counts homes whose rows could not be read."""

    devices: list[FleetDevice]
    not_asked: int
    next: str | None


class FleetModels(msgspec.Struct, frozen=True):
    """All models, most frequent first. `not_asked` counts homes whose rows could not be read."""

    models: list[FleetModel]
    not_asked: int


class FleetDifference(msgspec.Struct, frozen=True):
    """One record of one home on which a store differs."""

    site: str
    replica: str
    registry: str
    id: str
    name: str | None
    kind: str
    cause: str
    outcome: str
    since: Instant | None


class FleetDrift(msgspec.Struct, frozen=True):
    """The differences in all homes. `total` counts all, `unknown` the homes whose differences are unknown."""

    records: list[FleetDifference]
    total: int
    unknown: int


@route("/api/fleet/devices", FleetDevicesPage, statuses=(404,))
async def list_fleet_devices(found: Asked, _request: Request, query: FleetDevicesQuery) -> Response:
    """Devices of all homes."""
    check_tag(found.sites, query.tag)
    if query.site is not UNSET:
        check_home(found.sites, query.site)
    site, _, behind = query.after.partition("/")
    selection = Selection(tuple(filters_of(query)), query.q)
    devices, not_asked = list[FleetDevice](), 0
    for name in _names(found.sites, query.tag):
        if name < site or query.site not in (UNSET, name):
            continue
        start = behind if name == site else ""
        wanted = query.limit + 1 - len(devices)

        def job(transaction: ReadTransaction, start: str = start, wanted: int = wanted) -> list[Row]:
            filters = filters_for(transaction, "device", None, selection)
            return transaction.page("device", _COLUMNS, filters, start, wanted)

        rows = await _read(found.sites, name, job)
        not_asked += rows is None
        devices += [FleetDevice(name, *row) for row in rows or ()]
        if len(devices) > query.limit:
            break
    page = devices[: query.limit]
    more = f"{page[-1].site}/{page[-1].id}" if len(devices) > query.limit else None
    return answer_live(FleetDevicesPage(page, not_asked, more))


@route("/api/fleet/models", FleetModels, statuses=(404,))
async def list_fleet_models(found: Asked, _request: Request, query: FleetModelsQuery) -> Response:
    """Models and firmwares of all homes, with their numbers of devices."""
    check_tag(found.sites, query.tag)
    devices, sites = Counter[Row](), Counter[Row]()
    not_asked = 0
    limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def add(name: str) -> None:
        nonlocal not_asked
        async with limiter:
            counted = await _read(found.sites, name, _count_models)
        if counted is None:
            not_asked += 1
            return
        devices.update(counted)
        sites.update(_merged(counted).keys())

    async with anyio.create_task_group() as tasks:
        for name in _names(found.sites, query.tag):
            tasks.start_soon(add, name)
    shown = _spelled(devices)
    counted = [
        FleetModel(shown[m][0], shown[m][1], shown[m][2], number, sites[m])
        for m, number in _merged(devices).items()
    ]
    counted.sort(key=lambda m: (-m.devices, m.manufacturer or "", m.model or "", m.sw_version or ""))
    return answer_live(FleetModels(counted, not_asked))


def _count_models(transaction: ReadTransaction) -> Counter[Row]:
    return Counter(
        tuple(text or None for text in row[1:])
        for row in transaction.page("device", ("manufacturer", "model", "sw_version"), (), "", _ROWS_MAX)
    )


def _same(model: Row) -> Row:
    """The same for models that the filters find together; they ignore case of ASCII only, as bytes do."""
    maker, name, version = model
    return (maker or "Unknown").encode().lower(), (name or "Unknown").encode().lower(), version or "-"


def _merged(models: Mapping[Row, int]) -> Counter[Row]:
    merged = Counter[Row]()
    for model, number in models.items():
        merged[_same(model)] += number
    return merged


def _spelled(models: Mapping[Row, int]) -> dict[Row, Row]:
    """The most frequent spelling of each."""
    return {_same(model): model for model in sorted(models, key=lambda model: (models[model], str(model)))}


@route("/api/fleet/drift", FleetDrift, statuses=(404,))
async def get_fleet_drift(found: Asked, _request: Request, query: FleetDriftQuery) -> Response:
    """The differences in all homes."""
    check_tag(found.sites, query.tag)
    records, total, unknown = list[FleetDifference](), 0, 0
    for view in found.sites.views():
        if query.tag is not UNSET and query.tag not in view.tags:
            continue
        if view.status is None or view.status.report is None:
            unknown += 1
            continue
        known = {
            replica.replica
            for replica in view.status.replicas
            if replica_status(replica, found.now, view.freshness)[0] != SyncStatus.UNKNOWN
        }
        # Differences found before Home Assistant was lost may be outdated.
        unknown += len(known) < len(view.status.replicas)
        open_ = [record for record in open_records(view.status.report) if record.replica in known]
        total += len(open_)
        for r in open_[: query.limit - len(records)]:
            records.append(
                FleetDifference(
                    view.name, r.replica, r.registry, r.key, r.name, r.kind, r.cause, r.outcome, r.since
                )
            )
    return answer_live(FleetDrift(records, total, unknown))


@route("/api/fleet/changes/stream", SiteChange, media_type=EVENT_STREAM)
async def stream_fleet_changes(found: Asked, _request: Request, _query: NoQuery) -> Response:
    """Changes of all homes as they happen (server-sent events).

    Records that are written, or found to differ, from now on.
    """
    return FleetStream(found.sites)


class FleetStream(Response):
    """Server-sent events without a position to resume from; a home's own stream has one."""

    def __init__(self, sites: Sites) -> None:
        super().__init__(None, 200)
        self._sites = sites

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client disconnects or the service ends."""
        await begin(send)
        if scope["method"] == "HEAD":
            await end(send)
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(end_when_gone, receive, tasks.cancel_scope)
            with self._sites.follow() as changes:
                await send_piece(send, RETRY, tasks.cancel_scope)
                while True:
                    data = KEEP_ALIVE
                    with anyio.move_on_after(event_streams.KEEP_ALIVE_SECONDS):
                        try:
                            data = _event(await changes.next())
                        except StopAsyncIteration:
                            break
                    await send_piece(send, data, tasks.cancel_scope)
            await say_bye(send)
            tasks.cancel_scope.cancel()


def _event(change: SiteChange | None) -> bytes:
    if change is None:
        return b'event: reset\ndata: {"reason":"slow"}\n\n'
    return b"event: change\ndata: %b\n\n" % msgspec.json.encode(change)


def _names(sites: Sites, tag: str | UnsetType) -> list[str]:
    return [view.name for view in sites.views() if tag is UNSET or tag in view.tags]


async def _read(sites: Sites, name: str, job: Callable[[ReadTransaction], T]) -> T | None:
    try:
        return await sites.read(name, job)
    except EngineError:
        return None


ROUTES: tuple[Route, ...] = (list_fleet_devices, list_fleet_models, get_fleet_drift, stream_fleet_changes)
