"""Encodes operations as rows of the history file, and decodes rows to versions and revisions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from engine.core.compare.diff import Cause
from engine.core.compare.plan import Action, Operation
from engine.core.records.content_hash import HASH_VERSION, content_hash, digest_text
from engine.core.records.nesting import nests_too_deep
from engine.core.records.record import RECORD_TYPES, Json, Key, Record
from engine.core.records.record_json import canonical_fields, decode_record, decode_row, encode_record
from engine.core.records.revision import Revision
from engine.errors import SourceInvalid
from engine.ports import Run

TOMBSTONE = "-"  # the hash in a revision that ends a record

_NS = 1_000_000_000
_HASH_PREFIX = f"{HASH_VERSION}:"


class Draft(msgspec.Struct, frozen=True):
    """A revision to append; `record` is None, and `hash` "-", in a tombstone."""

    key: Key
    op: str  # create, update, delete, repair
    record: Record | None
    hash: str


def draft_revisions(operation: Operation, run: Run) -> list[Draft]:
    """The revisions for an operation: one, or two if a record's id changed."""
    key, record = operation.key, operation.after
    if operation.action is Action.DELETE or record is None:
        return [Draft(key, "delete", None, TOMBSTONE)]
    hash_ = run.desired.get(key) or operation.difference.desired or content_hash(record)
    if operation.moved_from is not None:
        return [Draft(operation.moved_from, "delete", None, TOMBSTONE), Draft(key, "create", record, hash_)]
    if operation.difference.cause is Cause.DRIFT:
        return [Draft(key, "repair", record, hash_)]
    return [Draft(key, "update" if operation.difference.observed else "create", record, hash_)]


def encode_revisions(
    drafts: Iterable[Draft], run: Run, *, first_ns: int, revs: Mapping[Key, int]
) -> Iterator[tuple[str | int | None, ...]]:
    """Rows in the order of `history_schema.COLUMNS`, a nanosecond apart. `revs` are the newest so far."""
    newest = dict(revs)
    for at_ns, draft in enumerate(drafts, start=first_ns):
        newest[draft.key] = rev = newest.get(draft.key, 0) + 1
        payload = "" if draft.record is None else encode_record(draft.record).decode()
        modified_at = None if draft.record is None else draft.record.modified_at
        yield (
            at_ns,
            *draft.key,
            draft.op,
            rev,
            draft.hash,
            payload,
            digest_revision(*draft.key, draft.hash, payload),
            run.run_id,
            run.ha_version,
            None if modified_at is None else round(modified_at * 1_000_000),
        )


_encode = msgspec.msgpack.Encoder().encode


def digest_revision(registry: object, id_: object, hash_: object, payload: object) -> str:
    """A digest of a revision's key and content; works for any values, so that junk has one too."""
    return digest_text(_encode((registry, id_, hash_, payload)))


def versions_of(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[Key, str]]:
    """The versions of newest revisions (registry, id, hash, payload, digest), without tombstones."""
    for registry, id_, hash_, payload, digest in rows:
        actual = digest_revision(registry, id_, hash_, payload)
        if digest != actual:
            yield Key(str(registry), str(id_)), _altered_version(registry, id_, payload, actual)
        elif hash_ != TOMBSTONE:
            is_current = hash_.startswith(_HASH_PREFIX)
            yield Key(registry, id_), hash_ if is_current else _rehashed(registry, payload)


def revision_of(row: Sequence[Any]) -> Revision:
    """A revision from (at_ns, registry, id, op, rev, hash, payload, run_id, ha_version)."""
    at_ns, registry, id_, op, rev, hash_, payload, run_id, ha_version = row
    return Revision(
        key=Key(registry, str(id_)),
        at=at_ns / _NS,
        op=str(op),
        rev=rev,
        hash=str(hash_),
        run_id=str(run_id),
        content=read_payload(registry, payload),
        ha_version=None if ha_version is None else str(ha_version),
    )


def payload_fields(registry: str, payload: object) -> dict[str, Json]:
    """The canonical fields in a payload; for anything but a record, its content in a form that can be shown."""
    content = read_payload(registry, payload)
    return canonical_fields(content) if isinstance(content, Record) else content


def read_payload(registry: str, payload: object) -> Record | dict[str, Json]:
    """The record in a payload; for anything else, its content in a form that can be shown."""
    if not payload:
        return {}
    record = _record(registry, payload)
    if record is not None:
        return record
    try:
        fields = decode_row(registry, str(payload).encode())
    except SourceInvalid:
        return {"payload": str(payload)}
    return {"payload": str(payload)} if nests_too_deep(fields) else fields


def _altered_version(registry: object, id_: object, payload: object, digest: str) -> str:
    record = _record(registry, payload)
    if record is None or record.id_value != id_:
        return f"?:{digest}"
    # The digest makes it differ from an intact revision's hash, so that it is reported and repaired.
    return f"{content_hash(record)}~{digest}"


def _rehashed(registry: str, payload: str) -> str:
    record = _record(registry, payload)
    return "?:" if record is None else content_hash(record)


def _record(registry: object, payload: object) -> Record | None:
    if registry not in RECORD_TYPES or not isinstance(payload, str):
        return None
    try:
        return decode_record(str(registry), payload.encode())
    except SourceInvalid:
        return None
