"""What is answered of devices and models of many homes."""

import msgspec

from engine.core.times import Instant


class FleetDevice(msgspec.Struct, frozen=True):
    """A device and the home that it is in."""

    site: str
    id: str
    name: str | None
    manufacturer: str | None
    model: str | None
    sw_version: str | None
    hw_version: str | None


class FleetModel(msgspec.Struct, frozen=True):
    """How many devices of one model and firmware there are, in how many homes."""

    manufacturer: str | None
    model: str | None
    sw_version: str | None
    devices: int
    sites: int


class ViewedDevices(msgspec.Struct, frozen=True):
    """A page, in an order that stays the same, home by home. It may have fewer rows than `limit`, even none, while there is a `next`.

    `as_of`: every change that was in Kafka then is in the answer.
    """

    devices: list[FleetDevice]
    as_of: Instant | None
    next: str | None


class ViewedModels(msgspec.Struct, frozen=True):
    """Models, the most frequent first. `total` counts all that there are; `as_of` is as for devices."""

    models: list[FleetModel]
    total: int
    as_of: Instant | None


class ViewedSite(msgspec.Struct, frozen=True):
    """One home, as its owner last said and as far as that still counts.

    `since`: when `status` began; of one that is unknown, the last that was heard of it. `heard_at`: when its Home Assistant last sent something,
    as of `said_at`, the time of its owner's newest message. What only counts now (`connected`, `pending`, `differing`) is null while
    the home is unknown for want of such a message.
    """

    name: str
    label: str
    tags: tuple[str, ...]
    url: str | None
    owner: str | None
    stage: str | None
    status: str
    since: Instant | None
    reason: str | None
    source: str | None
    connected: bool | None
    heard_at: Instant | None
    synced_at: Instant | None
    said_at: Instant | None
    version: str | None
    pending: int | None
    differing: int | None
    records: int | None
    devices: int


class ViewedSites(msgspec.Struct, frozen=True):
    """A page of homes, by name. `total` counts all that match, `by_status` likewise; `as_of` is as for devices."""

    sites: list[ViewedSite]
    total: int
    by_status: dict[str, int]
    as_of: Instant | None
    next: str | None


class ViewedDrift(msgspec.Struct, frozen=True):
    """Homes that are not in sync, the worst first: blocked, out_of_sync, then unknown. `total` and `by_status` count all homes."""

    sites: list[ViewedSite]
    total: int
    by_status: dict[str, int]
    as_of: Instant | None
