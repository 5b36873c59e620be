"""Rows that are set aside: Home Assistant lists them, but their records cannot be identified.

A row without a usable identity is never mirrored. It is not a reason to delete either: a replica may hold that very
record. So a key that is set aside counts as listed, and for a row without any key, so does every
key of its registry that is missing from the read.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from operator import attrgetter

import msgspec

from engine.core.records.record import Entity, Json, Key, Record
from engine.errors import SourceInvalid

_entity_id = attrgetter("entity_id")


class SetAside(msgspec.Struct, frozen=True):
    """One row: its identity as far as known, and what is wrong with it.

    `position` counts the rows of its list from 1; `found` is the JSON type of the value in `field`.
    """

    registry: str
    field: str
    found: str
    reason: str
    id: str | None = None
    entity_id: str | None = None
    name: str | None = None
    position: int | None = None

    @property
    def known_as(self) -> str:
        """A short phrase that identifies the row."""
        parts = [
            self.registry,
            f"row {self.position}" if self.position else "",
            self.entity_id or self.name or "",
            f"id {self.id}" if self.id else "without an id",
        ]
        return ", ".join(text for text in parts if text)

    @property
    def key(self) -> Key | None:
        """The key of the row's record, if the row has one."""
        return Key(self.registry, self.id) if self.id else None


class UnusableRow(SourceInvalid):
    """A row that has to be set aside."""

    def __init__(self, row: SetAside) -> None:
        """Takes the row to set aside."""
        super().__init__(
            f"A row of Home Assistant ({row.known_as[:160]}) cannot be used: {row.reason}.", _HINT
        )
        self.row = row


_HINT = "Nothing was changed. If this Home Assistant is newer than this program, update the program."


def json_type(value: Json) -> str:
    """The name of a JSON value's type, for users."""
    names: Mapping[type, str] = {bool: "boolean", str: "text", int: "number", float: "number", dict: "object"}
    return "null" if value is None else names.get(type(value), "list")


def listed_twice(
    registry: str, field: str, id_: str, *, entity_id: str | None = None, name: str | None = None
) -> SetAside:
    """Set aside a record with several rows or a shared entity_id: none of the rows can be trusted."""
    return SetAside(registry, field, "text", f"its {field} is listed more than once", id_, entity_id, name)


def trusted_records(
    records: Iterable[Record] | Mapping[Key, Record], rows: Iterable[SetAside]
) -> tuple[dict[Key, Record], tuple[SetAside, ...]]:
    """(records by key, rows set aside).

    If rows share an id, or entities an entity_id, it is unknown which is right, even if one of them is set aside for
    another reason.
    """
    aside = list(rows)
    by_key: dict[Key, Record] = {}
    doubtful: dict[Key, str] = dict.fromkeys((row.key for row in aside if row.key), "") if aside else {}
    if isinstance(records, Mapping):
        by_key.update(records)
        doubtful = {key: records[key].ID_FIELD for key in doubtful if key in records}
        records = ()
    replaced = list[Record]()
    for record in records:
        key = record.key
        if key in by_key:
            replaced.append(by_key[key])
            doubtful[key] = record.ID_FIELD
        elif key in doubtful:
            doubtful[key] = record.ID_FIELD
        by_key[key] = record
    aside += (_of_record(record, record.ID_FIELD) for record in replaced)
    for key in _sharers(by_key, {row.entity_id for row in aside if row.entity_id}):
        doubtful[key] = doubtful.get(key) or "entity_id"
    aside += (_of_record(by_key.pop(key), field) for key, field in doubtful.items() if key in by_key)
    return by_key, sorted_rows(aside)


def _sharers(records: Mapping[Key, Record], taken: set[str | None]) -> list[Key]:
    """The entities whose entity_id another one has."""
    entities = [record for record in records.values() if isinstance(record, Entity)]
    if not taken and len(set(map(_entity_id, entities))) == len(entities):
        return []
    counts = Counter([*(entity.entity_id for entity in entities), *taken])
    return [entity.key for entity in entities if counts[entity.entity_id] > 1]


def _of_record(record: Record, field: str) -> SetAside:
    names = (getattr(record, name, None) for name in ("name_by_user", "name", "title", "original_name"))
    return listed_twice(
        record.REGISTRY,
        field,
        record.id_value,
        entity_id=record.entity_id if isinstance(record, Entity) else None,
        name=next((name for name in names if name), None),
    )


def sorted_rows(rows: Iterable[SetAside]) -> tuple[SetAside, ...]:
    """Sort rows into the order of reports.

    Several rows may be alike, down to the name, so each counts, except for one given twice with its position.
    """
    counts = Counter(rows)
    found = sorted(
        counts,
        key=lambda r: (r.registry, r.position or 0, r.id or "", r.reason, r.name or "", r.entity_id or ""),
    )
    return tuple(row for row in found for _ in range(1 if row.position else counts[row]))
