"""A snapshot: all records of one side at one moment, and what is known about how it was read.

A snapshot of Home Assistant also carries its health, because whether a record that is not in it may be
deleted depends on the state Home Assistant was in when it was asked.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property

import msgspec

from engine.core.content_hash import content_hash, row_digest
from engine.core.derived import Derived, derive
from engine.core.record import Key, Record
from engine.errors import SourceInvalid


class Health(msgspec.Struct, frozen=True):
    """What Home Assistant said of itself while it was read; None where a form of source cannot know."""

    ha_version: str | None = None
    state: str | None = None  # RUNNING, STARTING, NOT_RUNNING, STOPPING, ...
    recovery_mode: bool | None = None
    corrupt_stores: tuple[str, ...] = ()  # named by storage_corruption_* repair issues or *.corrupt.* files


class Snapshot:
    """The desired state: complete for the registries in `registries`, read at `taken_at` (Unix seconds).

    `removed` holds keys that Home Assistant itself says are gone (its list of deleted rows, or a remove
    event); `splits` maps the id of a composite device to the ids that replaced it in 2026.8, first the one
    that inherits.
    """

    def __init__(  # noqa: PLR0913 (a value with named parts, always built by keyword)
        self,
        *,
        records: Iterable[Record],
        taken_at: float,
        origin: str,
        registries: frozenset[str],
        health: Health | None = None,
        removed: frozenset[Key] = frozenset(),
        splits: Mapping[str, tuple[str, ...]] | None = None,
        hashes: Mapping[Key, str] | None = None,
    ) -> None:
        """Index the records. Raises SourceInvalid when two of them have one key."""
        self.records: dict[Key, Record] = {}
        for record in records:
            if record.key in self.records:
                raise SourceInvalid(
                    f"Home Assistant lists {record.key} twice.",
                    "A list like this cannot be trusted, so nothing was changed; restart Home Assistant.",
                )
            self.records[record.key] = record
        self._check_entity_ids()
        self.taken_at = taken_at
        self.origin = origin
        self.registries = registries
        self.health = health or Health()
        self.removed = removed
        self.splits = dict(splits or {})
        known = hashes or {}
        # Which instance this is: kept apart, because `only` may leave the config entries out.
        self.entry_ids = frozenset(key.id for key in self.records if key.registry == "config_entry")
        self.hashes: dict[Key, str] = {
            key: known.get(key) or content_hash(record) for key, record in self.records.items()
        }

    @cached_property
    def derived(self) -> dict[Key, Derived]:
        """Derived values of devices and entities."""
        return derive(self.records, version_of(self.health.ha_version))

    @cached_property
    def row_versions(self) -> dict[Key, str]:
        """For replicas that store derived columns: content hash and digest of the derived values."""
        return {key: row_version(h, self.derived.get(key)) for key, h in self.hashes.items()}

    def only(self, registries: frozenset[str]) -> "Snapshot":
        """The same snapshot with only some registries; derived values still see all of them."""
        if self.registries <= registries:
            return self
        part = Snapshot(
            records=(r for k, r in self.records.items() if k.registry in registries),
            taken_at=self.taken_at,
            origin=self.origin,
            registries=self.registries & registries,
            health=self.health,
            removed=self.removed,
            splits=self.splits,
            hashes=self.hashes,
        )
        part.entry_ids = self.entry_ids
        part.__dict__["derived"] = {k: d for k, d in self.derived.items() if k.registry in registries}
        return part

    def _check_entity_ids(self) -> None:
        seen: dict[str, Key] = {}
        for key, record in self.records.items():
            if key.registry != "entity":
                continue
            entity_id: str = record.entity_id  # type: ignore[attr-defined]  # narrowed by the registry
            if entity_id in seen:
                raise SourceInvalid(
                    f"Home Assistant lists entity_id {entity_id} for {seen[entity_id]} and {key}."
                )
            seen[entity_id] = key


def row_version(hash_: str, derived: Derived | None) -> str:
    """The version of a stored row: `<content hash>+<digest of its derived values>`."""
    return hash_ if derived is None else f"{hash_}+{row_digest(derived)[:16]}"


def version_of(text: str | None) -> tuple[int, int] | None:
    """(year, month) of a Home Assistant version such as "2026.11.0"; None when it is no such text."""
    year, _, rest = (text or "").partition(".")
    month = rest.partition(".")[0]
    return (int(year), int(month)) if year.isdecimal() and month.isdecimal() else None
