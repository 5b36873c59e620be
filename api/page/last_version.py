"""The facts shown for a record without a row: its last recorded version, or only what a report contains."""

from collections.abc import Sequence

from api.page.views.record import Fact, device_facts, entity_facts, plain_facts
from api.page.wording import Names
from api.ports import PastRevision
from api.registries.bodies.devices_and_entities import DEVICES, ENTITIES, served_fields
from engine.core.home.derived import derive
from engine.core.records.record import Device, Entity, Key
from engine.core.times import rfc3339
from engine.errors import SourceInvalid

_NAMES = ("name_by_user", "name", "title", "original_name")


def last_facts(key: Key, revisions: Sequence[PastRevision], names: Names) -> list[Fact]:
    """The facts in the last version; empty if there is none or it cannot be read."""
    last = next((revision for revision in reversed(revisions) if revision.fields), None)
    if last is None:
        return []
    try:
        record = last.record()
    except SourceInvalid:
        return []
    derived, at = derive({key: record}, None).get(key), rfc3339(last.at)
    if isinstance(record, Device) and derived is not None:
        return device_facts(DEVICES.of_record(record, derived, at), names)
    if isinstance(record, Entity) and derived is not None:
        return entity_facts(ENTITIES.of_record(record, derived, at), names)
    return plain_facts(served_fields(last.fields) or {}, names)


def last_name(revisions: Sequence[PastRevision]) -> str | None:
    """The record's last name."""
    for revision in reversed(revisions):
        for name in _NAMES:
            if revision.fields.get(name):
                return str(revision.fields[name])
    return None
