"""Encodes events: Debezium's envelope with a record before and after a change. Pure.

Every event has all fields of its record, so that a table built from them has the same columns for each.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from engine import __version__
from engine.core.compare.plan import Operation
from engine.core.decode_errors import DECODE_ERRORS
from engine.core.records.record import Json, Key, Record
from engine.core.records.record_json import field_names, make_record
from engine.errors import SourceInvalid
from engine.ports import Run
from engine.replicas.history.revisions import TOMBSTONE, Draft, draft_revisions
from engine.replicas.kafka.messages import SCHEMA_VERSION, Message, encode_key
from engine.replicas.kafka.topics import TopicNames

_MS = 1000
_OPS: dict[str, Literal["c", "u", "d"]] = {"create": "c", "update": "u", "repair": "u", "delete": "d"}
_encode = msgspec.json.Encoder().encode


class Writer(msgspec.Struct, frozen=True):
    """The writer that events name: which home it keeps, where, and under which claim."""

    site: str
    names: TopicNames
    owner: str


class EventSource(msgspec.Struct, frozen=True):
    """Debezium's `source`: the origin of a change."""

    version: str
    connector: str
    name: str
    db: str
    table: str
    ts_ms: int
    snapshot: str
    run_id: str
    ha_version: str | None
    hash: str
    cause: str


class Envelope(msgspec.Struct, frozen=True):
    """Debezium's envelope, without schemas."""

    before: dict[str, Json] | None
    after: dict[str, Json] | None
    op: str
    ts_ms: int
    source: EventSource


class Sent(msgspec.Struct, frozen=True):
    """One event to send: its messages in the record's topic, and the record's version in the topic afterwards."""

    key: Key
    version: str | None
    messages: tuple[Message, ...]
    event: Message  # the same for the feed of changes

    @property
    def size(self) -> int:
        """The size of its largest message, bytes."""
        return max(
            len(message.key) + len(message.value or b"") + sum(len(n) + len(v) for n, v in message.headers)
            for message in self.messages
        )


def events_of(
    operations: Sequence[Operation], run: Run, writer: Writer, *, is_filling: bool
) -> Iterator[Sent]:
    """The events for these operations, in order; two if a record's id changed. `is_filling`: the store is empty."""
    for operation in operations:
        for draft in draft_revisions(operation, run):
            yield _sent(draft, _event(draft, operation, run, writer.site, is_filling=is_filling), writer)


def full_fields(record: Record) -> dict[str, Json]:
    """All fields of a record, including those with their default."""
    values = msgspec.structs.asdict(record)
    return {name: values[name] for name in field_names(record.REGISTRY)} | dict(values["extra"])


def _event(draft: Draft, operation: Operation, run: Run, site: str, *, is_filling: bool) -> Envelope:
    return Envelope(
        before=_before(draft, operation),
        after=None if draft.record is None else full_fields(draft.record),
        op="r" if is_filling else _OPS[draft.op],
        ts_ms=round(run.at * _MS),
        source=EventSource(
            version=__version__,
            connector="homeassistant",
            name=site,
            db=site,
            table=draft.key.registry,
            ts_ms=round((run.at if run.read_at is None else run.read_at) * _MS),
            snapshot="true" if is_filling else "false",
            run_id=run.run_id,
            ha_version=run.ha_version,
            hash=draft.hash,
            cause=operation.difference.cause,
        ),
    )


def _before(draft: Draft, operation: Operation) -> dict[str, Json] | None:
    """The topic's content before: a record with all its fields, or another program's values."""
    row = operation.before
    if row is None or (draft.op == "create" and operation.moved_from is not None):
        return None
    try:
        return full_fields(make_record(draft.key.registry, row.fields))
    except (SourceInvalid, *DECODE_ERRORS):
        return row.fields


def _sent(draft: Draft, event: Envelope, writer: Writer) -> Sent:
    key, value = encode_key(writer.site, draft.key), _encode(event)
    headers = (
        ("schema", b"%d" % SCHEMA_VERSION),
        ("hash", draft.hash.encode()),
        ("owner", writer.owner.encode()),
    )
    topic = writer.names.of(draft.key.registry)
    messages = [Message(topic, key, value, headers)]
    is_end = draft.hash == TOMBSTONE
    if is_end:
        messages.append(Message(topic, key, None, headers))
    in_feed = Message(writer.names.changes, key, value, headers)
    return Sent(draft.key, None if is_end else draft.hash, tuple(messages), in_feed)
