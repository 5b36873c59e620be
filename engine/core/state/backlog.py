"""The records that may have changed in Home Assistant since a replica was last compared with it.

Each snapshot names the one that it was made from: a partial read names the newest one, a full read the previous full
read. So the records in which two may differ are known without searching the home. Only if a snapshot was made from
neither, as when a service releases the objects that its first read decoded, all hashes are compared, once.
"""

from typing import TYPE_CHECKING

from engine.core.home.snapshot import Snapshot

if TYPE_CHECKING:
    from engine.core.home.home import Generation
    from engine.core.records.record import Key


class Backlog:
    """The records that may differ between the snapshot last taken for a comparison and the newest one."""

    def __init__(self) -> None:
        self._newest: Snapshot | None = None
        self._taken: Snapshot | None = None
        self._full: Generation | None = None  # of the newest full read
        self._since_full: set[Key] = set()
        self._keys: set[Key] | None = set()  # None: unknown, until a snapshot is taken

    def offer(self, snapshot: Snapshot) -> None:
        """Record the newest snapshot."""
        newest, self._newest = self._newest, snapshot
        if newest is not None and snapshot.home.generation is newest.home.generation:
            return
        if newest is not None and snapshot.home.base is newest.home.generation:
            self._since_full |= snapshot.home.touched
            self._add(snapshot.home.touched)
        elif snapshot.home.generation is self._full:
            self._add(self._since_full)
        elif snapshot.home.base is not None and snapshot.home.base is self._full:
            self._add(self._since_full | snapshot.home.touched)
        elif self._taken is not None:
            self._keys = _differing(self._taken, snapshot)
        else:
            self._keys = None
        if not snapshot.reading.earlier_lists:  # all of it was read
            self._full, self._since_full = snapshot.home.generation, set()

    def take(self) -> None:
        """Record that the newest snapshot is taken for a comparison."""
        self._taken, self._keys = self._newest, set()

    def count(self, registries: frozenset[str]) -> int:
        """The number of records of the registries that have changed."""
        return len(self.changed(registries))

    def changed(self, registries: frozenset[str]) -> "frozenset[Key]":
        """The records of the registries that have changed; none before the first `take`."""
        if self._newest is None or self._taken is None or not self._keys:
            return frozenset()
        before, after = self._taken.home.hashes, self._newest.home.hashes
        keys = [key for key in self._keys if key.registry in registries]
        return frozenset(key for key in keys if before.get(key) != after.get(key))

    def _add(self, keys: "set[Key] | frozenset[Key]") -> None:
        if self._keys is not None:
            self._keys |= keys


def _differing(before: Snapshot, after: Snapshot) -> "set[Key]":
    had, has = before.home.hashes, after.home.hashes
    if had == has:  # this comparison keeps no values
        return set()
    return {key for key in had.keys() | has.keys() if had.get(key) != has.get(key)}
