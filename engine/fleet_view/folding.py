"""Collects messages of all partitions into one batch to write. Pure."""

from collections.abc import Iterable, Mapping

from engine.fleet_view.messages import DeviceSaid, Oddity, SiteSaid, read_device, read_site
from engine.fleet_view.view_file.writing import Batch, Place
from engine.replicas.kafka.messages import PlacedEntry
from engine.replicas.kafka.topics import TopicNames


class Folding:
    """Collects the messages of one prefix's topics, with this number of partitions, until the batch is taken."""

    def __init__(self, names: TopicNames, partitions: int) -> None:
        self._sites = names.sites
        self._partitions = partitions
        self._devices: list[DeviceSaid] = []
        self._statuses: list[SiteSaid] = []
        self._oddities: list[Oddity] = []

    def read(self, entries: Iterable[PlacedEntry], now: float) -> None:
        """Keep the content of these messages, which is far smaller than the messages. `now` is Unix seconds."""
        for entry in entries:
            said: DeviceSaid | SiteSaid | Oddity | None
            if entry.topic == self._sites:
                said = read_site(entry, self._partitions, now)
            else:
                said = read_device(entry, self._partitions)
            if isinstance(said, DeviceSaid):
                self._devices.append(said)
            elif isinstance(said, Oddity):
                self._oddities.append(said)
            elif said is not None:
                self._statuses.append(said)

    def take(self, positions: Mapping[Place, int], at: float | None) -> Batch:
        """The batch since the last call. `positions` are the next offsets; `at` is the time up to which the view then has everything, if known."""
        batch = Batch(self._devices, self._statuses, self._oddities, dict(positions), at)
        self._devices, self._statuses, self._oddities = [], [], []
        return batch
