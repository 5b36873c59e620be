"""The homes in the view's file: the status that each owner last reported, for as long as it is valid."""

# ruff: noqa: S608 (names in statements are our own; values are bound)

from collections.abc import Collection
from typing import Any

import apsw
import msgspec
from msgspec import UNSET

from api.fleet.bodies import ViewedSite
from api.fleet.queries import ViewedSitesQuery
from engine.core.times import Instant, instant, rfc3339
from engine.fleet_view.view_file.schema import read_rows
from engine.replicas.kafka.sites.site_status import FRESH_MS, SiteStatus

# The worst first.
WORDS = ("blocked", "out_of_sync", "unknown", "in_sync")

_MS = 1000.0
# The same rule as `SiteStatus.word_at`, for all homes at once.
_WORD = f"CASE WHEN said IS NULL OR stage = 'released' OR abs(:now - ts_ms) > {FRESH_MS} THEN 'unknown' ELSE status END"
# A home without a message and without devices no longer exists.
_HOMES = (
    f"SELECT *, {_WORD} AS word FROM site WHERE said IS NOT NULL"
    " OR EXISTS (SELECT 1 FROM model_site WHERE model_site.site = site.number)"
)
_BADNESS = "CASE WHEN stage IN ('failed', 'invalid', 'unconfigured') THEN 0 {} END".format(
    " ".join(f"WHEN word = '{word}' THEN {place}" for place, word in enumerate(WORDS, start=1))
)
_decode = msgspec.json.Decoder(SiteStatus).decode


def read_sites(
    connection: apsw.Connection, query: ViewedSitesQuery, now: float, *, worst_first: bool, offset: int
) -> list[ViewedSite]:
    """A page of homes at `now` (Unix seconds), and one more home if there is another page."""
    where, values = _conditions(query, now)
    order = f"{_BADNESS}, coalesce(drift_records, 0) DESC, name" if worst_first else "name"
    rest = f"WHERE {where} AND name > :after ORDER BY {order} LIMIT :limit OFFSET :offset"
    values |= {"after": query.after, "limit": query.limit + 1, "offset": offset}
    return _sites(connection, rest, values, now)


def read_named_sites(connection: apsw.Connection, names: Collection[str], now: float) -> list[ViewedSite]:
    """The homes with these names at `now` (Unix seconds)."""
    values = {"now": round(now * _MS), "names": msgspec.json.encode(sorted(names)).decode()}
    rest = "WHERE name IN (SELECT value FROM json_each(:names)) ORDER BY name"
    return _sites(connection, rest, values, now)


def count_sites(connection: apsw.Connection, query: ViewedSitesQuery, now: float) -> dict[str, int]:
    """The number of matching homes by status, the worst first."""
    where, values = _conditions(msgspec.structs.replace(query, status=UNSET), now)
    rows = read_rows(connection, f"SELECT word, count(*) FROM ({_HOMES}) WHERE {where} GROUP BY word", values)
    return dict.fromkeys(WORDS, 0) | dict(rows)


def read_tags(connection: apsw.Connection) -> list[str]:
    """All tags, sorted."""
    rows = read_rows(connection, "SELECT DISTINCT tags FROM site WHERE tags != ''")
    return sorted({tag for (tags,) in rows for tag in str(tags).split()})


def site_numbers(connection: apsw.Connection, name: str | None, tag: str | None) -> frozenset[int]:
    """The homes with a name, with a tag, or both."""
    conditions = {"name = :name": name, "instr(tags, :tag) > 0": tag}
    where = " AND ".join(condition for condition, value in conditions.items() if value is not None)
    values = {"name": name, "tag": _within_tags(tag or "")}
    return frozenset(
        number for (number,) in connection.execute(f"SELECT number FROM site WHERE {where}", values)
    )


def _sites(connection: apsw.Connection, rest: str, values: dict[str, Any], now: float) -> list[ViewedSite]:
    rows = read_rows(connection, f"SELECT number, name, said, word FROM ({_HOMES}) {rest}", values)
    return [
        _site(name, said, word, _count_devices(connection, number), now) for number, name, said, word in rows
    ]


def _count_devices(connection: apsw.Connection, site: int) -> int:
    statement = "SELECT coalesce(sum(devices), 0) FROM model_site WHERE site = ?"
    return int(read_rows(connection, statement, (site,))[0][0])


def _within_tags(tag: str) -> str | None:
    """The text to find in the column of tags; None, which is in none, for what can be no tag."""
    return f" {tag} " if tag.split() == [tag] else None


def _conditions(query: ViewedSitesQuery, now: float) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {
        "now": round(now * _MS),
        "tag": _within_tags(query.tag or ""),
        "q": query.q.casefold(),
    }
    conditions = ["1"]
    if query.tag is not UNSET:
        conditions.append("instr(tags, :tag) > 0")
    if query.q:
        conditions.append("instr(searched, :q) > 0")
    if query.status is not UNSET:
        values["status"] = query.status
        conditions.append("word = :status")
    if query.connected is not UNSET:
        values["connected"] = query.connected
        conditions.append("word != 'unknown' AND is_connected = :connected")
    return " AND ".join(conditions), values


def _site(name: str, said: bytes | None, word: str, devices: int, now: float) -> ViewedSite:
    if said is None:
        return _unsaid(name, devices)
    status = _decode(said)
    is_now = status.is_owned and abs(now * _MS - status.ts_ms) <= FRESH_MS
    return ViewedSite(
        name=name,
        label=status.label,
        tags=status.tags,
        url=status.url or None,
        owner=status.owner,
        stage=status.stage,
        status=word,
        since=_instant(status.since_ms) if is_now else _instant(status.ts_ms),
        reason=status.reason if is_now else _why_unknown(status),
        source=status.source,
        connected=status.connected if is_now else None,
        heard_at=_instant(status.heard_ms),
        synced_at=_instant(status.synced_ms),
        said_at=_instant(status.ts_ms),
        version=status.ha_version,
        pending=status.pending if is_now else None,
        differing=status.drift_records if is_now else None,
        records=sum(status.records.values()) if status.records else None,
        devices=devices,
    )


def _unsaid(name: str, devices: int) -> ViewedSite:
    """A home of which only the records are known."""
    return ViewedSite(
        name=name,
        label="",
        tags=(),
        url=None,
        owner=None,
        stage=None,
        status="unknown",
        since=None,
        reason="No process has reported on it.",
        source=None,
        connected=None,
        heard_at=None,
        synced_at=None,
        said_at=None,
        version=None,
        pending=None,
        differing=None,
        records=None,
        devices=devices,
    )


def _why_unknown(status: SiteStatus) -> str:
    if not status.is_owned:
        return f"{status.owner} gave it up, and no other process has reported that it keeps it."
    return f"The process that keeps it, {status.owner}, last reported at {rfc3339(status.ts_ms / _MS)}."


def _instant(ms: int | None) -> Instant | None:
    return instant(None if ms is None else ms / _MS)
