"""The checks of `reconcile doctor` for an InfluxDB. Read-only: they write, create and delete nothing."""

from collections.abc import Callable
from typing import Literal

import msgspec

from engine.core.counts import plural
from engine.errors import ReplicaError
from engine.replicas.influx.retention import refresh_seconds
from engine.replicas.influx.schema.points import FIELD_TYPES, MEASUREMENTS
from engine.replicas.influx.wires.wire import Scan, Server, Wire

_NS = 1_000_000_000
_FUTURE_SECONDS = 300
_NAMED_MAX = 5


class InfluxCheck(msgspec.Struct, frozen=True):
    """One finding; `advice` is empty when there is nothing to do."""

    name: str  # server, read, write, retention, clock, types, future points
    status: Literal["ok", "warning", "failed"]
    found: str
    advice: str = ""


def check_server(
    wire: Wire, *, site: str, refresh_wanted_seconds: float, clock: Callable[[], float]
) -> tuple[InfluxCheck, ...]:
    """Every check, in order. An unreachable server ends them; otherwise they are independent."""
    try:
        server = wire.probe()
    except ReplicaError as error:
        return (_failed("server", error),)
    checks = [_server_check(server)]
    checks.append(_tried("read", "the bucket can be read", lambda: _read_one(wire, site)))
    checks.append(_tried("write", "the bucket may be written", wire.check_may_write))
    checks.append(_retention_check(wire, refresh_wanted_seconds))
    now = clock()
    checks.append(_clock_check(server, now))
    if checks[1].status == "ok":
        checks.append(_types_check(wire))
        checks.append(_future_check(wire, site, now))
    return tuple(checks)


def _server_check(server: Server) -> InfluxCheck:
    version = f"InfluxDB {server.version}" if server.version else "a server that does not report its version"
    note = f"; {server.note}" if server.note else ""
    return InfluxCheck("server", "ok", f"{version} over wire {server.wire}{note}")


def _read_one(wire: Wire, site: str) -> None:
    for _ in wire.scan(Scan(measurements=("ha_run",), site=site, tags=(), fields=("state",), newest_max=1)):
        pass


def _tried(name: str, found: str, attempt: Callable[[], None]) -> InfluxCheck:
    try:
        attempt()
    except ReplicaError as error:
        return _failed(name, error)
    return InfluxCheck(name, "ok", found)


def _retention_check(wire: Wire, wanted_seconds: float) -> InfluxCheck:
    try:
        retention = wire.retention_seconds()
        within = refresh_seconds(retention, wanted_seconds)
    except ReplicaError as error:
        return _failed("retention", error)
    if retention is None:
        return InfluxCheck(
            "retention",
            "warning",
            "the server does not report how long the bucket keeps points",
            f"Allow the token to read buckets, or make sure that it is at least {plural(2 * wanted_seconds / 86_400, 'day')}.",
        )
    kept = f"{plural(retention / 86_400, 'day')}" if retention else "forever"
    renewed = f"every record is renewed within {plural(within / 86_400, 'day')}"
    return InfluxCheck("retention", "ok", f"points are kept {kept}; {renewed}")


def _clock_check(server: Server, now: float) -> InfluxCheck:
    if server.at is None:
        return InfluxCheck("clock", "warning", "the server does not report its time", "")
    skew = now - server.at
    # The server's time is in whole seconds.
    apart = f"by {plural(abs(skew), 'second', '.0f')}" if abs(skew) >= 2 else "by less than 2 seconds"
    found = f"this machine and the server differ {apart}"
    if abs(skew) > 60:
        return InfluxCheck(
            "clock", "failed", found, "Set both clocks, best by NTP; until then nothing is written."
        )
    return InfluxCheck("clock", "ok", found)


def _future_check(wire: Wire, site: str, now: float) -> InfluxCheck:
    start_ns = int((now + _FUTURE_SECONDS) * _NS)
    scan = Scan(measurements=tuple(MEASUREMENTS), site=site, fields=("hash",), start_ns=start_ns)
    try:
        count = sum(len(rows) for _, rows in wire.scan(scan))
    except ReplicaError as error:
        return _failed("future points", error)
    if count:
        return InfluxCheck(
            "future points",
            "warning",
            f"{plural(count, 'point')} {'is' if count == 1 else 'are'} dated more than {_FUTURE_SECONDS // 60} minutes ahead",
            "A clock ran ahead, or another program wrote them. They count as newest; delete that range if they are wrong.",
        )
    return InfluxCheck("future points", "ok", "no point is dated ahead")


def _types_check(wire: Wire) -> InfluxCheck:
    """Values of a type other than ours hide ours from some queries, and make the server refuse ours."""
    try:
        types = wire.field_types(tuple(MEASUREMENTS))
        foreign = [
            (measurement, field, kind)
            for (measurement, field), kinds in sorted(types.items())
            if field in FIELD_TYPES
            for kind in sorted(kinds - {FIELD_TYPES[field]})
        ]
        named = [_name_foreign(wire, *found) for found in foreign[:_NAMED_MAX]]
    except ReplicaError as error:
        return _failed("types", error)
    if not types:
        return InfluxCheck("types", "ok", "there is nothing yet, or the server does not report types")
    if not named:
        return InfluxCheck("types", "ok", "every field has the type it should have")
    more = ", ..." if len(foreign) > _NAMED_MAX else ""
    return InfluxCheck(
        "types",
        "warning",
        f"another program wrote values of another type: {'; '.join(named)}{more}",
        "Delete those points, and keep that program away from the ha_ measurements.",
    )


def _name_foreign(wire: Wire, measurement: str, field: str, kind: str) -> str:
    text = f"{measurement}.{field} is {kind} instead of {FIELD_TYPES[field]}"
    row = wire.tags_of_type(measurement, field, kind)
    return text if row is None else f"{text}, last at site={row[1] or '-'}, id={row[2] or '-'}"


def _failed(name: str, error: ReplicaError) -> InfluxCheck:
    return InfluxCheck(name, "failed", error.message, error.hint)
