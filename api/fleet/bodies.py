"""The bodies of devices, models and homes in answers about many homes."""

import msgspec

from engine.core.times import Instant


class FleetDevice(msgspec.Struct, frozen=True):
    """A device and its home."""

    site: str
    id: str
    name: str | None
    manufacturer: str | None
    model: str | None
    sw_version: str | None
    hw_version: str | None


class FleetModel(msgspec.Struct, frozen=True):
    """The number of devices with one model and firmware, and of homes with them."""

    manufacturer: str | None
    model: str | None
    sw_version: str | None
    devices: int
    sites: int


class ViewedDevices(msgspec.Struct, frozen=True):
    """A page, in a stable order, home by home. It may have fewer rows than `limit`, even none, although there is a `next`.

    `as_of`: the answer includes every change that was in Kafka then.
    """

    devices: list[FleetDevice]
    as_of: Instant | None
    next: str | None


class ViewedModels(msgspec.Struct, frozen=True):
    """Models, most frequent first. `total` counts all of them; `as_of` is as for devices."""

    models: list[FleetModel]
    total: int
    as_of: Instant | None


class ViewedSite(msgspec.Struct, frozen=True):
    """One home, as far as its owner's last report is still valid.

    `since`: when `status` began; for an unknown home, the time of the last report. `heard_at`: when its Home Assistant last sent
    something, according to the owner's newest message, sent at `said_at`. Values that are only valid now (`connected`, `pending`,
    `differing`) are null while the home is unknown because there is no recent message.
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
    """A page of homes, by name. `total` and `by_status` count all that match; `as_of` is as for devices."""

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
