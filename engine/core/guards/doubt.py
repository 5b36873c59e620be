"""Which parts of a read are not trusted, and which derived values depend on them.

A registry that is listed while Home Assistant starts, or after its store was corrupt, may lack records. Rows hold
values that are derived from other records: an entity its device's area and name, a device the number of its
entities. Derived from such a read they could be wrong, so the rows keep their values until a read is trusted.
"""

from collections.abc import Iterator, Mapping

from engine.core.compare.plan import Operation
from engine.core.compare.stored import StoredRow
from engine.core.home.list_order import ORDERED_REGISTRIES
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Device, Entity, Key
from engine.core.records.registries import CONFIG_ENTRY, DEVICE, ENTITY
from engine.core.words import GuardName

# Home Assistant's names for the stores of registries from which values are derived.
_REGISTRIES_OF_STORES = {registry.store: registry.name for registry in (CONFIG_ENTRY, DEVICE, ENTITY)}


def untrusted_read(desired: Snapshot) -> tuple[GuardName, str, str] | None:
    """The guard (name, message, hint) by which a record missing from this read is not evidence; None if it is evidence."""
    health = desired.reading.health
    if health.state not in (None, "RUNNING"):
        return (
            GuardName.NOT_RUNNING,
            f"Home Assistant is {health.state}, not RUNNING.",
            "Run again when it has started; the deletes follow then.",
        )
    if health.unread:
        return (
            GuardName.HEALTH_UNREAD,
            f"What Home Assistant says of its own state could not be read: {'; '.join(health.unread)}. "
            "Whether its registries are sound is not known.",
            "Restart Home Assistant, which rewrites such a file, and run again; the deletes follow then.",
        )
    if health.corrupt_stores:
        return (
            GuardName.STORAGE_CORRUPTION,
            f"Home Assistant reports a corrupt store ({', '.join(health.corrupt_stores)}) and started over "
            "with an empty registry and new ids.",
            "Restore a backup of Home Assistant, or accept the loss there by fixing the repair issue.",
        )
    return None


def depend_on_untrusted(
    operations: tuple[Operation, ...], missing: Mapping[Key, StoredRow | None], desired: Snapshot
) -> set[Key]:
    """The operations that would write a value derived from a record that is missing but may still exist.

    `missing` are the rows of records that are not listed and may not be deleted now. While Home Assistant is not running, any
    missing record may still appear; in a registry whose store was corrupt and still lacks records, no record is trusted.
    """
    is_starting = desired.reading.health.state not in (None, "RUNNING")
    deriving = [o for o in operations if o.derived is not None]
    if not deriving or not (missing or is_starting):
        return set()
    losing = {key.registry for key in missing}
    corrupt = {_REGISTRIES_OF_STORES.get(store) for store in desired.reading.health.corrupt_stores} & losing
    fewer = {row.fields.get("device_id") for row in missing.values() if row is not None}

    def is_doubtful(key: Key) -> bool:
        if key in desired.home.records:
            return key.registry in corrupt
        return key in missing or (is_starting and desired.is_missing(key))

    def rests(operation: Operation) -> bool:
        changed = _changed_values(operation)
        bases = _bases(operation, changed, desired)
        return (
            any(map(is_doubtful, bases))
            or ("entity_count" in changed and operation.key.id in fewer)
            # While a missing record may still exist, the records after it have not moved up.
            or (
                "position" in changed
                and operation.key.registry in ORDERED_REGISTRIES
                and operation.key.registry in losing
            )
        )

    return {o.key for o in deriving if rests(o)}


def _changed_values(operation: Operation) -> frozenset[str]:
    """The derived values that the operation would write."""
    if operation.before is None:
        return frozenset(operation.derived.__struct_fields__ if operation.derived is not None else ())
    return frozenset(change.name for change in operation.fields)


def _bases(operation: Operation, changed: frozenset[str], desired: Snapshot) -> Iterator[Key]:
    """The other records that the changed values are derived from."""
    record = operation.after
    if isinstance(record, Entity) and changed & {"effective_area_id", "effective_name"}:
        yield from _devices_from(record.device_id, desired)
    if isinstance(record, Device):
        if "effective_area_id" in changed and record.area_id is None:
            yield from _devices_from(record.parent_device_id, desired)
        if "integration" in changed and record.config_entry_id:
            yield Key("config_entry", record.config_entry_id)


def _devices_from(device_id: str | None, desired: Snapshot) -> Iterator[Key]:
    """The device and its parents, up to and including the first that is missing."""
    seen: set[str] = set()
    while device_id and device_id not in seen:
        seen.add(device_id)
        yield Key("device", device_id)
        device = desired.home.records.get(Key("device", device_id))
        device_id = device.parent_device_id if isinstance(device, Device) else None
