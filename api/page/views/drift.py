"""The differences: one row per record with all sides, the reason, since when, and what will be done."""

from collections.abc import Sequence

import msgspec

from api.page.templates import link
from api.page.wording import Names, cut, field_text, registry_text, replica_text, value_text
from api.state.drift import served_record
from engine.core.compare.diff import Cause, Kind
from engine.core.records.record import Key
from engine.core.state.difference_words import outcome_text
from engine.core.state.report import RecordReport
from engine.core.state.status import Status

FIELDS_MAX = 12


class FieldView(msgspec.Struct, frozen=True):
    """One field: `was` is struck out, `is_` is not. None is shown as nothing; `has_was` tells whether `was` is shown."""

    label: str
    is_: str | None
    was: str | None = None
    has_was: bool = False


class SideView(msgspec.Struct, frozen=True):
    """One side of a record: a note (same, not there, ...), or the fields that differ."""

    title: str
    note: str
    fields: list[FieldView]


class DriftRow(msgspec.Struct, frozen=True):
    """One record that differs."""

    key: Key
    name: str
    known_as: str
    registry: str
    href: str
    sides: list[SideView]
    causes: list[str]
    since: float | None
    reasons: list[str]
    fates: list[str]


class DriftView(msgspec.Struct, frozen=True):
    """One page of the table; `total` counts all rows."""

    titles: list[str]
    rows: list[DriftRow]
    total: int
    page: int
    pages: int


def drift_view(
    records: Sequence[RecordReport], status: Status, names: Names, page: int, size: int
) -> DriftView:
    """A page, counted from 1, of the records that differ."""
    by_key: dict[tuple[str, str], list[RecordReport]] = {}
    for record in records:
        by_key.setdefault((record.registry, record.key), []).append(record)
    # Replicas in their order, then other stores in the report (an InfluxDB's older measurements).
    replicas = list(dict.fromkeys([r.replica for r in status.replicas] + [r.replica for r in records]))
    unread = {r.replica for r in status.replicas if r.error is not None}
    pages = max(1, -(-len(by_key) // size))
    page = min(page, pages)
    keys = sorted(by_key)[(page - 1) * size : page * size]
    rows = [_row([served_record(r) for r in by_key[key]], replicas, unread, names) for key in keys]
    titles = ["Home Assistant", *map(replica_text, replicas)]
    return DriftView(titles, rows, len(by_key), page, pages)


def _row(records: list[RecordReport], replicas: list[str], unread: set[str], names: Names) -> DriftRow:
    first = records[0]
    by_replica = {record.replica: record for record in records}
    several = len(records) > 1
    is_there = any(record.kind is not Kind.ORPHANED for record in records)  # in Home Assistant
    return DriftRow(
        key=Key(first.registry, first.key),
        name=cut(first.name),
        known_as=first.entity_id or first.key,
        registry=registry_text(first.registry),
        href=record_href(first.registry, first.entity_id or first.key),
        sides=[
            _source_side(records, names, is_there=is_there),
            *(
                _replica_side(name, by_replica.get(name), names, is_unread=name in unread, is_there=is_there)
                for name in replicas
            ),
        ],
        causes=_distinct([_cause(record) for record in records]),
        since=min((r.since for r in records if r.since), default=None),
        reasons=_distinct([reason for record in records for reason in record.why]),
        fates=_distinct(
            [f"{replica_text(r.replica)}: {_fate(r)}" if several else _fate(r).capitalize() for r in records]
        ),
    )


def record_href(registry: str, known_as: str) -> str:
    """The page of a record."""
    return link(registry_text(registry), id=known_as)


def _source_side(records: list[RecordReport], names: Names, *, is_there: bool) -> SideView:
    title = "Home Assistant"
    if not is_there:
        never = all(record.cause is Cause.FOREIGN for record in records)
        return SideView(title, "does not know it" if never else "not there any more", [])
    values = {f.name: f.source for record in records for f in record.fields}
    fields = [
        FieldView(field_text(name), value_text(name, value, names))
        for name, value in list(values.items())[:FIELDS_MAX]
    ]
    return SideView(title, "" if fields else "has it", fields)


def _replica_side(
    replica: str, record: RecordReport | None, names: Names, *, is_unread: bool, is_there: bool
) -> SideView:
    title = replica_text(replica)
    if record is None:
        same = "as in Home Assistant" if is_there else "not there"
        return SideView(title, "not known" if is_unread else same, [])
    if record.kind is Kind.MISSING:
        return SideView(title, "not there", [])
    if record.kind is Kind.ORPHANED:
        return SideView(title, "has it", [])
    fields = [
        FieldView(
            field_text(f.name),
            value_text(f.name, f.source, names),
            value_text(f.name, f.replica, names),
            True,
        )
        for f in record.fields[:FIELDS_MAX]
    ]
    left = len(record.fields) - len(fields)
    return SideView(title, f"and {left} more" if left > 0 else "" if fields else "differs", fields)


def _cause(record: RecordReport) -> str:
    title = replica_text(record.replica)
    if record.cause is Cause.FOREIGN:
        return f"Foreign row in {title}"
    if record.cause is Cause.CONFLICT:
        return "Conflict"
    if record.cause is Cause.DRIFT:
        return f"Drift: {'deleted from' if record.kind is Kind.MISSING else 'changed in'} {title}"
    if record.kind is Kind.ORPHANED:
        return "Pending: gone from Home Assistant"
    is_new = record.kind is Kind.MISSING or record.applied_hash is None
    return f"Pending: not yet in {title}" if is_new else "Pending: changed in Home Assistant"


def _fate(record: RecordReport) -> str:
    text = outcome_text(record)
    return f"{text}, see above" if record.outcome == "held" else text


def _distinct(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(texts))
