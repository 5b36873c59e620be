"""Turns rows of scans into the replica's content: the newest point of every key, and the version it represents.

Only a plain look trusts the stored version. A verifying look recomputes it from the payload, and so detects a point
that another program altered.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from engine.core.records.content_hash import HASH_VERSION, content_hash, row_digest
from engine.core.records.record import Key
from engine.core.records.record_json import decode_record
from engine.core.records.revision import Revision
from engine.errors import ReplicaRejected, SourceInvalid
from engine.replicas.history.revisions import read_payload
from engine.replicas.influx.schema.points import PAYLOAD_SCHEMA, REPLICA, TOMBSTONE, key_of
from engine.replicas.influx.wires.wire import Block

_NS = 1_000_000_000
HASH_PREFIX = f"{HASH_VERSION}:"


class Holding(msgspec.Struct):
    """What was read and since written: version and time of the newest point of every live record."""

    versions: dict[Key, str] = {}
    times: dict[Key, int] = {}
    ended: dict[Key, int] = {}  # when deleted records ended, where their tombstone was read
    start_ns: int = 0  # where the read began; 0 when nothing is older

    def put(self, key: Key, version: str, time_ns: int) -> None:
        """Record a key's new newest point; a tombstone ends the key."""
        if version == TOMBSTONE:
            self.versions.pop(key, None)
            self.times.pop(key, None)
            self.ended[key] = time_ns
        else:
            self.ended.pop(key, None)
            self.versions[key] = version
            self.times[key] = time_ns

    def is_new(self, key: Key) -> bool:
        """Whether the key certainly has no point: everything was read, and it was absent."""
        return self.start_ns <= 0 and key not in self.times and key not in self.ended


def newest_rows(blocks: Iterable[Block]) -> dict[Key, list[Any]]:
    """The newest row of every key; rows are [time, tag, ...]. Rows without an id are skipped."""
    best: dict[str, dict[Any, list[Any]]] = {}
    for measurement, rows in blocks:
        of_measurement = best.setdefault(measurement, {})
        seen = of_measurement.get
        for row in rows:
            older = seen(row[1])
            if older is None or row[0] > older[0]:
                of_measurement[row[1]] = row
    return {
        key: row
        for measurement, of_measurement in best.items()
        for tag, row in of_measurement.items()
        if (key := key_of(measurement, tag)) is not None
    }


def holding_of(rows: Mapping[Key, list[Any]], *, is_verified: bool) -> Holding:
    """The content given by newest rows [time, tag, hash, schema, payload]; without `is_verified`, [time, tag, hash].

    Raises ReplicaRejected when a newer program wrote one of them.
    """
    held = Holding()
    if not is_verified:
        for key, row in rows.items():
            hash_ = row[2]
            held.put(key, hash_ if isinstance(hash_, str) else "?:", row[0])
        return held
    for key, (time_ns, _, hash_, schema, payload) in rows.items():
        check_schema(key, schema if isinstance(schema, int) else None)
        texts = (value if isinstance(value, str) else None for value in (hash_, payload))
        held.put(key, version_of_payload(key, *texts), time_ns)
    return held


def needs_payloads(versions: Iterable[str]) -> bool:
    """Whether some hash has another version, or is no hash, so that only the payload shows its content."""
    return any(not version.startswith(HASH_PREFIX) for version in versions)


def version_of_payload(key: Key, hash_: str | None, payload: str | None) -> str:
    """A point's version, computed from its payload; different from every hash if stored hash and payload disagree."""
    if hash_ == TOMBSTONE:
        return TOMBSTONE
    digest = row_digest((hash_, payload))
    try:
        record = decode_record(key.registry, (payload or "").encode())
    except SourceInvalid:
        return f"?:{digest}"
    if record.key != key:
        return f"?:{digest}"
    actual = content_hash(record)
    is_stale = hash_ is not None and not hash_.startswith(HASH_PREFIX) and hash_.partition(":")[0].isdecimal()
    return actual if hash_ == actual or is_stale else f"{actual}~{digest}"


def revision_of(key: Key, row: Sequence[Any]) -> Revision:
    """The revision in a row [time, tag, op, rev, hash, run, schema, payload].

    Raises ReplicaRejected when a newer program wrote it.
    """
    at_ns, _, op, rev, hash_, run_id, schema, payload = row
    check_schema(key, schema)
    number = rev if isinstance(rev, int) else 0
    content = read_payload(key.registry, payload)
    return Revision(key, at_ns / _NS, str(op), number, str(hash_ or "?:"), str(run_id or ""), content)


def check_schema(key: Key, schema: int | None) -> None:
    """Raise ReplicaRejected when a point has a schema that this program does not know."""
    if schema is not None and schema > PAYLOAD_SCHEMA:
        raise ReplicaRejected(
            REPLICA,
            f"The point of {key} has schema {schema}, and this program knows {PAYLOAD_SCHEMA}.",
            "Nothing was changed. Update this program, or name another bucket in records.uri.",
        )


def integer_or(value: object, otherwise: int) -> int:
    """The value if it is an integer, else `otherwise`."""
    return value if isinstance(value, int) else otherwise
