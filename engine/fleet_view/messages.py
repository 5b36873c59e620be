"""Decodes the messages of a fleet's topics for the view. Pure.

A message counts if a home's owner could have written it: its key has the one valid spelling and is in the home's own
partition. Everything else comes from another program, and is ignored and counted. Messages of a newer program cannot be decoded.
"""

from enum import StrEnum

import msgspec

from engine.core.decode_errors import DECODE_ERRORS
from engine.replicas.kafka.messages import SCHEMA_VERSION, PlacedEntry, decode_key
from engine.replicas.kafka.sites.site_status import (
    ReadingPlace,
    Removed,
    SiteStatus,
    StrangeMessage,
    WorkerStatus,
    decode_message,
)
from engine.replicas.kafka.topics import partition_of
from engine.settings.sites import is_site_name

TEXT_MAX = 255  # the limit on the characters of each kept text, and of an id


class Oddity(StrEnum):
    """Why a message is not in the view."""

    FOREIGN = "foreign"  # not written by a home's owner
    NEWER = "newer"  # written by a newer program
    UNREADABLE = "unreadable"  # from an owner, but its value cannot be decoded


SiteSaid = SiteStatus | Removed


class DeviceFacts(msgspec.Struct, frozen=True):
    """The fields of a device that the view keeps; empty text means no value."""

    name: str
    manufacturer: str
    model: str
    model_id: str
    sw_version: str
    hw_version: str
    serial: str


class DeviceSaid(msgspec.Struct, frozen=True):
    """The content of a message about a device: its facts, or None if the device is gone or can no longer be decoded (see `oddity`)."""

    site: str
    id: str
    facts: DeviceFacts | None
    oddity: Oddity | None = None


class _After(msgspec.Struct, frozen=True):
    id: str
    name: str | None = None
    name_by_user: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    model_id: str | None = None
    sw_version: str | None = None
    hw_version: str | None = None
    serial_number: str | None = None


class _DeviceEvent(msgspec.Struct, frozen=True):
    after: _After | None


_decode = msgspec.json.Decoder(_DeviceEvent).decode


def read_device(entry: PlacedEntry, partitions: int) -> DeviceSaid | Oddity:
    """Decode a message in the topic of devices; an oddity if it is not about a device of a home."""
    found = decode_key(entry.key, "device")
    if found is None or not is_home(found.site, entry, partitions) or len(found.key.id) > TEXT_MAX:
        return Oddity.FOREIGN
    site, id_ = found.site, found.key.id
    if entry.value is None:
        return DeviceSaid(site, id_, None)
    if is_newer(entry, SCHEMA_VERSION):
        return DeviceSaid(site, id_, None, Oddity.NEWER)
    try:
        after = _decode(entry.value).after
    except DECODE_ERRORS:
        return DeviceSaid(site, id_, None, Oddity.UNREADABLE)
    if after is None:
        return DeviceSaid(site, id_, None)
    if after.id != id_:
        return DeviceSaid(site, id_, None, Oddity.UNREADABLE)
    return DeviceSaid(site, id_, _facts(after))


def read_site(entry: PlacedEntry, partitions: int, now: float) -> SiteSaid | Oddity | None:
    """Decode a message about a home in the topic `sites` at `now` (Unix seconds); None if it is about a process."""
    if is_newer(entry, SCHEMA_VERSION):
        return Oddity.NEWER
    try:
        found = decode_message(entry, ReadingPlace(entry.partition, partitions, now * 1000))
    except StrangeMessage:
        return Oddity.FOREIGN
    if isinstance(found, WorkerStatus) or (isinstance(found, Removed) and found.worker):
        return None
    return found


def is_home(site: str, entry: PlacedEntry, partitions: int) -> bool:
    """Whether a home can have this name, and this message is in the home's partition."""
    return is_site_name(site) and partition_of(site, partitions) == entry.partition


def is_newer(entry: PlacedEntry, known: int) -> bool:
    """Whether a newer program wrote the message."""
    text = entry.headers.get("schema", b"").decode("ascii", "replace")
    return text.isdigit() and int(text[:9]) > known


def shortened(text: str | None) -> str:
    """The text, truncated to the limit."""
    return (text or "")[:TEXT_MAX]


def _facts(after: _After) -> DeviceFacts:
    return DeviceFacts(
        shortened(after.name_by_user or after.name),
        shortened(after.manufacturer),
        shortened(after.model),
        shortened(after.model_id),
        shortened(after.sw_version),
        shortened(after.hw_version),
        shortened(after.serial_number),
    )
