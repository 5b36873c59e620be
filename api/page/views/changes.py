"""The change feed as sentences: the change, whose it was, and how long it took."""

from collections.abc import Sequence
from typing import Any

import msgspec

from api.activity import Activity
from api.changes.envelope import Change, change_of_row
from api.page.views.drift import FieldView, record_href
from api.page.views.home_index import HomeIndex
from api.page.wording import cut, registry_text, shown_fields, span_text, value_text
from api.ports import ReadTransaction

_NAME_FIELDS = ("name_by_user", "name", "title", "original_name", "entity_id")
_FIELDS_MAX = 8
_FOLLOWERS_MAX = 1000
_DERIVED_FROM_DEVICE = frozenset({"effective_area_id", "effective_name"})


class ChangeView(msgspec.Struct, frozen=True):
    """One sentence: name, what happened (`verb` for a whole record, else `fields`), and how the sentence ends (`remark`)."""

    seq: int
    at: float  # Unix seconds
    name: str
    registry: str
    known_as: str
    href: str | None
    verb: str
    fields: list[FieldView]
    remark: str
    is_repair: bool
    with_it: list[
        "ChangeView"
    ] = []  # changes that only follow from this one, such as the entities of a device that moved


class ChangesView(msgspec.Struct, frozen=True):
    """The changes, newest first; `older` is where the next page begins, None on the last."""

    changes: list[ChangeView]
    older: int | None


def changes_view(
    transaction: ReadTransaction, index: HomeIndex, activity: Activity, before: int | None, limit: int
) -> ChangesView:
    """At most `limit` events with numbers lower than `before` (None: the newest). Call it in a job.

    A device and the entities that changed only with it are one event.
    """
    oldest, newest = transaction.feed_bounds()
    last = newest if before is None else min(before - 1, newest)
    # Only failed writes leave gaps in the numbers, so this many numbers are about as many changes.
    first = max(last - limit, oldest - 1, 0)
    found = _read(transaction, first, last)
    if found and _follows(found[-1]):
        # The page would end among a device's entities: read as many more as a large device has.
        first = max(first - _FOLLOWERS_MAX, oldest - 1, 0)
        found = _whole_run(_read(transaction, first, last), limit)
        first = found[-1].seq - 1
    known = _entities(transaction, found)
    devices = {(c.run_id, c.key) for c in found if c.registry == "device" and c.op == "u"}
    followers: dict[tuple[str, str | None], list[ChangeView]] = {}
    events = []
    for change in found:
        device = (change.run_id, known.get(change.key, (None, None, None))[2])
        if _follows(change) and device in devices:
            followers.setdefault(device, []).append(_view(change, known, index, activity))
        else:
            events.append(change)
    views = [
        msgspec.structs.replace(
            _view(change, known, index, activity),
            with_it=followers.get((change.run_id, change.key), []) if change.registry == "device" else [],
        )
        for change in events
    ]
    return ChangesView(views, first + 1 if first >= oldest and newest else None)


def _read(transaction: ReadTransaction, first: int, last: int) -> list[Change]:
    """The changes after `first`, up to `last`, newest first."""
    return [change_of_row(row) for row in transaction.changes(first, last - first, None, last)][::-1]


def _whole_run(found: list[Change], limit: int) -> list[Change]:
    """The first `limit` changes, and further ones of the last one's run up to the device they belong to."""
    end = limit
    while end < len(found) and found[end].run_id == found[end - 1].run_id and _follows(found[end - 1]):
        end += 1
    return found[:end]


def _follows(change: Change) -> bool:
    """Whether only an entity's values derived from its device changed."""
    fields = (change.after or {}).keys() | (change.before or {}).keys()
    return (
        change.registry == "entity" and change.op == "u" and bool(fields) and fields <= _DERIVED_FROM_DEVICE
    )


def _entities(
    transaction: ReadTransaction, changes: Sequence[Change]
) -> dict[str, tuple[str | None, str | None, str | None]]:
    """(entity_id, name, device) of the changed entities that still exist, by registry id."""
    ids = sorted({change.key for change in changes if change.registry == "entity"})
    columns = ("id", "effective_name", "original_name", "device_id")
    rows = transaction.rows("entity", columns, ids) if ids else []
    return {id_: (entity_id, name or original, device) for entity_id, id_, name, original, device in rows}


def _view(
    change: Change,
    known: dict[str, tuple[str | None, str | None, str | None]],
    index: HomeIndex,
    activity: Activity,
) -> ChangeView:
    fields = change.after or change.before or {}
    entity_id, name, _ = known.get(change.key, (None, None, None))
    entity_id = entity_id or str(fields.get("entity_id") or change.key)
    known_as = entity_id if change.registry == "entity" else change.key
    return ChangeView(
        seq=change.seq,
        at=change.ts_ms / 1000,
        name=cut(name or index.names.get((change.registry, change.key)) or _own_name(fields) or known_as),
        registry=registry_text(change.registry),
        known_as=known_as,
        href=record_href(change.registry, known_as),
        verb=_verb(change),
        fields=_fields(change, index) if change.op == "u" else [],
        remark=_remark(change, activity),
        is_repair=change.cause in ("drift", "conflict"),
    )


def _own_name(fields: dict[str, Any]) -> str | None:
    return next((str(fields[name]) for name in _NAME_FIELDS if fields.get(name)), None)


def _verb(change: Change) -> str:
    if change.op == "c":
        return "put back" if change.cause in ("drift", "conflict") else "added"
    if change.op == "d":
        return "pruned" if change.cause == "foreign" else "removed"
    return ""


def _fields(change: Change, index: HomeIndex) -> list[FieldView]:
    before, after = change.before or {}, change.after or {}
    return [
        FieldView(
            label,
            value_text(name, after.get(name), index.names),
            value_text(name, before.get(name), index.names),
            True,
        )
        for name, label in shown_fields([*after, *before])[:_FIELDS_MAX]
    ]


def _remark(change: Change, activity: Activity) -> str:
    if change.cause == "drift":
        how = "deleted it from" if change.op == "c" else "changed it in"
        return (
            f": another program had {how} SQLite"
            if change.op == "c"
            else f". Repaired: another program had {how} SQLite"
        )
    if change.cause == "conflict":
        return ". It was changed on both sides, and Home Assistant wins"
    if change.cause == "foreign":
        return ": only SQLite had it"
    took = activity.write_seconds((change.run_id, change.registry, change.key))
    how = "deleted from" if change.op == "d" else "written to"
    return f", {how} SQLite in {span_text(took)}" if took is not None else f", {how} SQLite"
