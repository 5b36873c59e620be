"""Turns drafts of revisions into points: selects the drafts and fills in each point."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from engine.core.compare.plan import Operation
from engine.core.home.derived import Derived
from engine.core.home.home import Home
from engine.core.records.record import Key
from engine.core.records.record_json import encode_record
from engine.replicas.history.revisions import Draft
from engine.replicas.influx.reading import check_schema
from engine.replicas.influx.schema.points import TOMBSTONE_PAYLOAD, Point
from engine.replicas.influx.schema.shown import inheriting_keys, shown_values

REFRESH = "refresh"


def renewals(
    drafts: Sequence[Draft], operations: Sequence[Operation], home: Home, held: Mapping[Key, str]
) -> list[Draft]:
    """Refreshes of records that did not change themselves, but now show another name or area because their device changed."""
    inheriting = inheriting_keys(operations, home) - {draft.key for draft in drafts}
    equal = sorted(key for key in inheriting if held.get(key) == home.hashes.get(key))
    return [Draft(key, REFRESH, home.records[key], home.hashes[key]) for key in equal]


def points_of(
    drafts: Sequence[Draft],
    newest: Mapping[Key, list[Any]],
    held_times: Mapping[Key, int],
    derived: Mapping[Key, Derived],
    next_ns: Callable[[int], int],
) -> Iterator[Point]:
    """A point per draft, counted on from the newest row [time, tag, hash, rev, schema] of its key.

    `next_ns` returns a time after its argument. Raises ReplicaRejected when a newer program wrote a row.
    """
    begun: dict[Key, tuple[int, int]] = {}
    for key, (at_ns, _, _, rev, schema) in newest.items():
        check_schema(key, schema)
        # A newer point may lack the fields requested here; a verifying read still found it.
        begun[key] = max(at_ns, held_times.get(key, 0)), rev if isinstance(rev, int) else 0
    for draft in drafts:
        at_ns, rev = begun.get(draft.key, (0, 0))
        time_ns = next_ns(at_ns)
        rev += draft.op != REFRESH
        begun[draft.key] = time_ns, rev
        record = draft.record
        payload = TOMBSTONE_PAYLOAD if record is None else encode_record(record)
        stamp = None if record is None else record.modified_at
        modified_us = -1 if stamp is None else round(stamp * 1_000_000)
        shown = shown_values(record, None if record is None else derived.get(draft.key))
        yield Point(draft.key, time_ns, draft.op, rev, draft.hash, payload, modified_us, shown)
