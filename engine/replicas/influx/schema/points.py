"""Records as InfluxDB points: line protocol, tag values, and the clock that dates commits.

Identity is in the tags (`site`, `id`), everything that can change is in the fields, and every point has every field,
always of the same type: a field whose type changes becomes a new field with a new name. No field is ever "": Flux drops
it, and then shows the values after it next to the times before them (2.7.11, seen 2026-11-23,
https://github.com/influxdata/influxdb/issues/26916). Nothing here reads a clock or talks to a server; the same
points give the same bytes, so a batch may be sent again.
"""

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from engine.core.records.record import Key
from engine.core.records.registries import REGISTRIES
from engine.errors import ReplicaRejected

REPLICA = "influxdb"
TOMBSTONE = "-"  # the hash in a point that ends a record
TOMBSTONE_PAYLOAD = b"{}"
PAYLOAD_SCHEMA = 1
RUN_MEASUREMENT = "ha_run"
COUNT_MEASUREMENT = "ha_count"  # written beside a commit, never read
CHANGE_MEASUREMENT = "ha_change"  # the same
NONE = "-"  # in display fields: no value
# Display fields in every record's point, never read by this program (explained in `shown.py`).
SHOWN_FIELDS = (
    "name",
    "entity_id",
    "area",
    "manufacturer",
    "model",
    "sw_version",
    "platform",
    "disabled_by",
)
MEASUREMENTS = {f"ha_{registry}": registry for registry in REGISTRIES}
# The fields that this program reads back, with their types, which never change.
_READ_TYPES = {
    "hash": "string",
    "deleted": "boolean",
    "op": "string",
    "rev": "integer",
    "run": "string",
    "modified_us": "integer",
    "schema": "integer",
    "payload": "string",
}
FIELD_TYPES = _READ_TYPES | dict.fromkeys(SHOWN_FIELDS, "string")  # all fields of a record's point
# Columns of known type that a scan may request; other programs' fields may have any type.
COLUMN_TYPES = _READ_TYPES | {
    "state": "string",
    "digest": "string",
    "n_live": "integer",
    "window_s": "integer",
    "list_order": "string",
    "entity_id": "string",
}

# InfluxDB's range is one smaller than int64 at both ends (1.6.7, seen 2026-11).
_TIME_NS_MAX = 2**63 - 2
_DIGEST_MODULUS = 1 << 128
# A control character ends a line or is lost; a backslash escapes only some characters and the end of a value,
# and versions differ in this; "%" marks an encoded byte; a lone surrogate is not UTF-8.
_UNFIT_FOR_TAG = re.compile("[\x00-\x1f\x7f%\\\\\ud800-\udfff]")
_UNFIT_FOR_FIELD = re.compile('[\\\\"\n\ud800-\udfff]')
_SHOWN = ",".join(f'{name}="%s"' for name in SHOWN_FIELDS)


class Point(msgspec.Struct, frozen=True):
    """One version of one record. `payload` is its canonical JSON, an empty object in a tombstone."""

    key: Key
    time_ns: int
    op: str
    rev: int
    hash: str
    payload: bytes
    modified_us: int = -1
    shown: tuple[str, ...] = (NONE,) * len(SHOWN_FIELDS)


class RunMarker(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning or the end of a writing run.

    A `commit` means: at `time_ns`, every live record had a point from the `window_seconds` before it. So a
    reader that starts there misses nothing, however long ago the last write was.
    """

    time_ns: int
    run: str
    state: str  # begin, commit
    created: int = 0
    updated: int = 0
    deleted: int = 0
    refreshed: int = 0
    live: int = 0
    digest: str = "-"  # of the live records, at a commit
    window_seconds: int = 0
    list_order: str = ""  # the user's order of areas and floors, at a commit; omitted if there is none


class CommitClock:
    """Times for points: strictly increasing, in whole microseconds plus this writer's slot in nanoseconds.

    Engines with different slots (0 to 999, else ValueError) never use the same time. One thread at a time.
    """

    def __init__(self, slot: int) -> None:
        if not 0 <= slot < 1000:
            raise ValueError(f"a writer's slot is 0 to 999, not {slot}")
        self._slot = slot
        self._last_us = 0

    def seed(self, newest_ns: int) -> None:
        """Continue after a stored point, even if the machine's clock was set back."""
        self._last_us = max(self._last_us, newest_ns // 1000)

    def next_ns(self, now: float, newest_of_key_ns: int = 0) -> int:
        """A time after all earlier ones, and after the newest point of the key to be written.

        `now` is in Unix seconds. A key whose newest point lies in the future (a clock ran ahead, or another program
        wrote it) gets a time after that point; other keys are not affected. Raises ReplicaRejected
        when no later time exists.
        """
        micros = max(int(now * 1e6), self._last_us + 1)
        own = newest_of_key_ns // 1000 + 1
        if own > micros:
            if own * 1000 + self._slot > _TIME_NS_MAX:
                raise ReplicaRejected(
                    REPLICA,
                    f"A stored point has the time {newest_of_key_ns} ns, and nothing can be written after it.",
                    "Delete the points of the far future in InfluxDB; the next pass repairs the record.",
                )
            return own * 1000 + self._slot
        self._last_us = micros
        return micros * 1000 + self._slot


def tag_of(id_: str) -> str:
    """The id as a tag value, percent-encoded where a tag cannot hold it. `id_of` reverses it."""
    if not id_:
        return "%"
    return _UNFIT_FOR_TAG.sub(lambda m: quote_from_bytes(m[0].encode("utf-8", "surrogatepass"), ""), id_)


def id_of(tag: str) -> str:
    """The id in a tag value."""
    if "%" not in tag:
        return tag
    if tag == "%":
        return ""
    return unquote_to_bytes(tag).decode("utf-8", "surrogatepass")


def key_of(measurement: str, tag: object) -> Key | None:
    """The key of a point that was read; None if it has none because another program wrote it."""
    if not isinstance(tag, str) or not tag:
        return None
    try:
        return Key(MEASUREMENTS[measurement], id_of(tag))
    except UnicodeDecodeError:
        return Key(MEASUREMENTS[measurement], tag)


def encode_point(site: str, run: str, point: Point) -> bytes:
    """The point as one line, without its newline."""
    payload = point.payload.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    # Lines are resent, and refused points isolated, one by one. JSON escapes newlines.
    assert payload
    assert b"\n" not in payload
    deleted = "true" if point.hash == TOMBSTONE else "false"
    # All texts are checked at once: hardly any needs escaping.
    is_plain = "" not in point.shown and not _UNFIT_FOR_FIELD.search("".join(point.shown))
    shown = _SHOWN % (point.shown if is_plain else tuple(map(_field_value, point.shown)))
    head = (
        f'ha_{point.key.registry},site={site},id={tag_text(point.key.id)} {shown},hash="{_quoted(point.hash)}",deleted={deleted},op="{point.op}"'
        f',rev={point.rev}i,run="{_quoted(run)}",modified_us={point.modified_us}i,schema={PAYLOAD_SCHEMA}i,payload="'
    )
    return b'%b%b" %d' % (head.encode(), payload, point.time_ns)


def tag_text(id_: str) -> str:
    """An id as a tag value in line protocol."""
    return tag_of(id_).replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


def field_text(text: str) -> str:
    """A string field's value in line protocol; never empty, and without lone surrogates."""
    return f'"{_field_value(text)}"'


def encode_marker(site: str, engine: str, marker: RunMarker) -> bytes:
    """The marker as one line, without its newline."""
    order = f',list_order="{_quoted(marker.list_order)}"' if marker.list_order else ""
    return (
        f'{RUN_MEASUREMENT},site={site} run="{_quoted(marker.run)}",state="{marker.state}",n_create={marker.created}i'
        f",n_update={marker.updated}i,n_delete={marker.deleted}i,n_refresh={marker.refreshed}i,n_live={marker.live}i"
        f',digest="{marker.digest}",window_s={marker.window_seconds}i,engine="{_quoted(engine)}"{order} {marker.time_ns}'
    ).encode()


def batches(lines: Iterable[bytes], lines_max: int = 5_000, bytes_max: int = 4_000_000) -> list[list[bytes]]:
    """The lines in order, split into requests within both limits; a line longer than `bytes_max` gets its own."""
    cut: list[list[bytes]] = []
    size = bytes_max
    for line in lines:
        size += len(line) + 1
        if size > bytes_max or len(cut[-1]) == lines_max:
            cut.append([])
            size = len(line) + 1
        cut[-1].append(line)
    return cut


def live_digest(versions: Mapping[Key, str]) -> str:
    """An order-independent digest of all live records: the sum of their hashes modulo 2^128, in hex."""
    total = 0
    for (registry, id_), version in versions.items():
        text = f"{registry}\0{id_}\0{version}".encode("utf-8", "surrogatepass")
        total += int.from_bytes(blake2b(text, digest_size=16).digest(), "big")
    return f"{total % _DIGEST_MODULUS:032x}"


def _field_value(text: str) -> str:
    return _quoted(text.encode("utf-8", "replace").decode() or NONE)


def _quoted(text: str) -> str:
    # A newline in a string field is legal, but would split the point into two lines.
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
