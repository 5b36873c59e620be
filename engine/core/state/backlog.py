"""What may have changed in Home Assistant since a replica was last compared with it.

Snapshots say what they were made from: a closer look from the newest one, a full read from the full read before. From
that follows which records two of them may differ in, without looking through the home. Only of one that was made from
neither, as when a service releases what its first read decoded, all hashes are searched, once.
"""

from typing import TYPE_CHECKING

from engine.core.home.snapshot import Snapshot

if TYPE_CHECKING:
    from engine.core.home.home import Generation
    from engine.core.records.record import Key


class Backlog:
    """The records that may differ between the snapshot that was taken up last and the newest one."""

    def __init__(self) -> None:
        self._newest: Snapshot | None = None
        self._taken: Snapshot | None = None
        self._full: Generation | None = None  # of the newest full read
        self._since_full: set[Key] = set()
        self._keys: set[Key] | None = set()  # None: unknown, as long as none was taken up

    def offer(self, snapshot: Snapshot) -> None:
        """This is the newest one."""
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
        """The newest one is taken up now."""
        self._taken, self._keys = self._newest, set()

    def count(self, registries: frozenset[str]) -> int:
        """How many they are."""
        return len(self.changed(registries))

    def changed(self, registries: frozenset[str]) -> "frozenset[Key]":
        """The records of the registries that have changed; none before anything was taken up."""
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
    if had == has:  # which keeps none of what is compared
        return set()
    return {key for key in had.keys() | has.keys() if had.get(key) != has.get(key)}
