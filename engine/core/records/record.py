"""Records: one registry item of Home Assistant, in canonical form.

A record is canonical by construction: Home Assistant's sets are sorted, and a default equals an absent key,
so that a new release that adds a key with its default changes no record.
Field names and meanings are Home Assistant's (websocket API, 2024.3 to 2026.11). Keys that this version
does not know are kept in `extra` and hashed like any other; their null, false and empty values are dropped.

`UNHASHED` names the fields that are kept but do not make a record different: they change on their own
(`modified_at`), or only some kinds of source know them (`unit_of_measurement`).
Config entry `data` and `options` hold passwords and are not fields here, so they cannot be stored.
"""

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, ClassVar, NamedTuple, TypeAlias

import msgspec

from engine.core.records.nesting import NESTING_MAX, nests_too_deep

# Any JSON value. (msgspec cannot decode into a recursive alias.)
Json: TypeAlias = Any

_STAMPS = frozenset({"created_at", "modified_at"})

# The last second of the year 9999, beyond which Python's calendar has no date.
_STAMP_MAX = 253_402_300_799.0
# The whole numbers that a store can hold.
_INTEGER_MAX = 2**63 - 1


class Key(NamedTuple):
    """Identity of a record. It survives renames: `id` is the registry's own id."""

    registry: str
    id: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.id}"


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The fields of all registries. Timestamps are Unix seconds, UTC; None if Home Assistant has none."""

    REGISTRY: ClassVar[str]
    ID_FIELD: ClassVar[str] = "id"
    # The fields that identify the record; a row without them is not a record.
    IDENTITY: ClassVar[tuple[str, ...]] = ("id",)
    INTEGERS: ClassVar[tuple[str, ...]] = ()
    SETS: ClassVar[tuple[str, ...]] = ()
    NESTED: ClassVar[tuple[str, ...]] = ("extra",)
    UNHASHED: ClassVar[frozenset[str]] = _STAMPS

    created_at: float | None = None
    modified_at: float | None = None
    # This encoded name cannot occur in Home Assistant, so a future key called "extra" is stored inside it.
    extra: dict[str, Json] = msgspec.field(default_factory=dict, name="(extra)")

    @property
    def id_value(self) -> str:
        """The id within the registry."""
        value: str = getattr(self, self.ID_FIELD)
        return value

    @property
    def key(self) -> Key:
        """The record's identity."""
        return Key(self.REGISTRY, self.id_value)

    def __post_init__(self) -> None:
        """Sort sets, and drop meaningless numbers."""
        take_needed, take_nested, shared_defaults = _TAKEN[self.REGISTRY]
        fields = msgspec.structs.astuple(self)
        if not all(take_needed(fields)):
            name = next(name for name in self.IDENTITY if not getattr(self, name) and name != "unique_id")
            raise ValueError(f"{self.REGISTRY} row has an empty {name}")
        if any(nested := take_nested(fields)) and nests_too_deep(nested):
            self._check_nesting()
        for name in self.SETS:
            values = getattr(self, name)
            if len(values) > 1:
                # By their JSON, because members may have any type, and are not always hashable.
                distinct = {msgspec.json.encode(value): value for value in values}
                msgspec.structs.force_setattr(self, name, tuple(v for _, v in sorted(distinct.items())))
        # Timestamps of 0.0 mean unknown (since the 2024.8 migration); others outside the calendar are dropped too.
        created, modified = self.created_at, self.modified_at
        if (created is not None and not 0.0 < created <= _STAMP_MAX) or (
            modified is not None and not 0.0 < modified <= _STAMP_MAX
        ):
            _keep_within(self, _STAMPS, 5e-324, _STAMP_MAX)
        if self.INTEGERS:
            _keep_within(self, self.INTEGERS, -_INTEGER_MAX, _INTEGER_MAX)
        for name, default in shared_defaults:
            if getattr(self, name) == default:
                msgspec.structs.force_setattr(self, name, default)

    def _check_nesting(self) -> None:
        for name in self.NESTED:
            if nests_too_deep(getattr(self, name)):
                raise ValueError(f"{self.REGISTRY} row nests its {name} deeper than {NESTING_MAX} levels")


def _keep_within(record: Record, names: Iterable[str], least: float, most: float) -> None:
    for name in names:
        number = getattr(record, name)
        if number is not None and not least <= number <= most:
            msgspec.structs.force_setattr(record, name, None)


class Device(Record, frozen=True, kw_only=True):
    """A device. Child devices (2026.9) carry `parent_device_id` and leave most fields empty."""

    REGISTRY: ClassVar[str] = "device"
    SETS: ClassVar[tuple[str, ...]] = ("identifiers", "connections", "labels", "config_entries")
    NESTED: ClassVar[tuple[str, ...]] = ("identifiers", "connections", "config_entries_subentries", "extra")
    UNHASHED: ClassVar[frozenset[str]] = _STAMPS | {"next_name_part"}

    id: str
    name: str | None = None
    name_by_user: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    model_id: str | None = None
    sw_version: str | None = None
    hw_version: str | None = None
    serial_number: str | None = None
    area_id: str | None = None
    labels: tuple[str, ...] = ()
    entry_type: str | None = None
    configuration_url: str | None = None
    disabled_by: str | None = None
    identifiers: tuple[tuple[Json, ...], ...] = ()
    connections: tuple[tuple[Json, ...], ...] = ()
    config_entry_id: str | None = None
    config_subentry_id: str | None = None
    config_entries: tuple[str, ...] = ()
    config_entries_subentries: dict[str, Json] = {}
    via_device_id: str | None = None
    parent_device_id: str | None = None
    next_name_part: str | None = None


class Entity(Record, frozen=True, kw_only=True):
    """An entity. `aliases` is in the 2026.4 form: ordered, None stands for the computed name."""

    REGISTRY: ClassVar[str] = "entity"
    IDENTITY: ClassVar[tuple[str, ...]] = ("id", "entity_id", "unique_id", "platform")
    INTEGERS: ClassVar[tuple[str, ...]] = ("supported_features",)
    SETS: ClassVar[tuple[str, ...]] = ("labels",)
    NESTED: ClassVar[tuple[str, ...]] = ("capabilities", "options", "extra")
    UNHASHED: ClassVar[frozenset[str]] = _STAMPS | {
        "next_name_part",
        "compat_name",
        "has_entity_name",
        "supported_features",
        "unit_of_measurement",
    }

    id: str
    entity_id: str
    unique_id: str
    platform: str
    name: str | None = None
    original_name: str | None = None
    has_entity_name: bool | None = None
    compat_name: str | None = None  # the name that 2026.11 keeps showing after an upgrade; in the store only
    device_id: str | None = None
    area_id: str | None = None
    labels: tuple[str, ...] = ()
    categories: dict[str, str] = {}
    aliases: tuple[str | None, ...] = (None,)
    icon: str | None = None
    original_icon: str | None = None
    device_class: str | None = None
    original_device_class: str | None = None
    unit_of_measurement: str | None = None
    supported_features: int | None = None
    capabilities: dict[str, Json] | None = None
    entity_category: str | None = None
    disabled_by: str | None = None
    hidden_by: str | None = None
    options: dict[str, Json] = {}
    translation_key: str | None = None
    config_entry_id: str | None = None
    config_subentry_id: str | None = None
    next_name_part: str | None = None


class Area(Record, frozen=True, kw_only=True):
    """An area, on at most one floor."""

    REGISTRY: ClassVar[str] = "area"
    ID_FIELD: ClassVar[str] = "area_id"
    IDENTITY: ClassVar[tuple[str, ...]] = ("area_id",)
    SETS: ClassVar[tuple[str, ...]] = ("aliases", "labels")

    area_id: str
    name: str
    floor_id: str | None = None
    aliases: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    icon: str | None = None
    picture: str | None = None
    humidity_entity_id: str | None = None
    temperature_entity_id: str | None = None


class Floor(Record, frozen=True, kw_only=True):
    """A floor; `level` is 0 for the ground floor, None when not given."""

    REGISTRY: ClassVar[str] = "floor"
    ID_FIELD: ClassVar[str] = "floor_id"
    IDENTITY: ClassVar[tuple[str, ...]] = ("floor_id",)
    INTEGERS: ClassVar[tuple[str, ...]] = ("level",)
    SETS: ClassVar[tuple[str, ...]] = ("aliases",)

    floor_id: str
    name: str
    level: int | None = None
    aliases: tuple[str, ...] = ()
    icon: str | None = None


class Label(Record, frozen=True, kw_only=True):
    """A label."""

    REGISTRY: ClassVar[str] = "label"
    ID_FIELD: ClassVar[str] = "label_id"
    IDENTITY: ClassVar[tuple[str, ...]] = ("label_id",)

    label_id: str
    name: str
    description: str | None = None
    color: str | None = None
    icon: str | None = None


class Category(Record, frozen=True, kw_only=True):
    """A category; its id is unique only within `scope` (automation, script, scene, helpers, ...)."""

    REGISTRY: ClassVar[str] = "category"
    ID_FIELD: ClassVar[str] = "category_id"
    IDENTITY: ClassVar[tuple[str, ...]] = ("scope", "category_id")

    category_id: str
    scope: str
    name: str
    icon: str | None = None

    @property
    def id_value(self) -> str:
        """Scope and id, joined by a slash."""
        return f"{self.scope}/{self.category_id}"


class ConfigEntry(Record, frozen=True, kw_only=True):
    """An integration's config entry. Its `state` changes at every start and is not part of the record.

    `subentries` (2025.3) have `subentry_id`, `subentry_type` and `title`, never their `data`.
    """

    REGISTRY: ClassVar[str] = "config_entry"
    ID_FIELD: ClassVar[str] = "entry_id"
    IDENTITY: ClassVar[tuple[str, ...]] = ("entry_id", "domain")
    SETS: ClassVar[tuple[str, ...]] = ("subentries",)

    entry_id: str
    domain: str
    title: str = ""
    source: str | None = None
    pref_disable_new_entities: bool = False
    pref_disable_polling: bool = False
    disabled_by: str | None = None
    subentries: tuple[dict[str, Json], ...] = ()


RECORD_TYPES: dict[str, type[Record]] = {
    t.REGISTRY: t for t in (ConfigEntry, Floor, Label, Category, Area, Device, Entity)
}

_Take: TypeAlias = Callable[[tuple[Any, ...]], tuple[Any, ...]]


def _taking(type_: type[Record], names: Iterable[str]) -> _Take:
    """A getter of several of all fields. The first is repeated, because for a single one there would be no tuple."""
    first, *others = map(type_.__struct_fields__.index, names)
    return itemgetter(first, first, *others)


# Fields that must not be empty, fields that may nest (`extra`, which is mostly empty, first), and defaults that must be the
# same object, because encoders omit only that. (None and the empty text or tuple exist only once anyway.)
_TAKEN: dict[str, tuple[_Take, _Take, tuple[tuple[str, Json], ...]]] = {
    name: (
        _taking(t, (n for n in t.IDENTITY if n != "unique_id")),
        _taking(t, reversed(t.NESTED)),
        tuple((f.name, f.default) for f in msgspec.structs.fields(t) if f.default == (None,)),
    )
    for name, t in RECORD_TYPES.items()
}
