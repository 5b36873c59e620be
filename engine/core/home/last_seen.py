"""When the records that are missing now were last listed.

A pass takes the newest read only, and while a store hangs or the ledger cannot be written, several reads go by. A record that one
of them listed was not missing all the time, so an absence that began before does not count any more.
"""

from collections.abc import Mapping, Set

import msgspec

from engine.core.home.home import Home
from engine.core.records.record import Key
from engine.core.records.registries import REGISTRIES
from engine.core.records.set_aside import SetAside

# Beyond as many records, every absence that began before counts as ended.
RECORDS_MAX = 10_000


class LastSeen(msgspec.Struct, frozen=True):
    """Times by the process's clock, Unix seconds.

    `records` are missing now. `registries` had rows without an id, each of which may have been any of their records.
    """

    records: Mapping[Key, float] = {}
    registries: Mapping[str, float] = {}

    def __bool__(self) -> bool:
        """Whether any record was seen that may be missing now."""
        return bool(self.records or self.registries)

    def at(self, key: Key) -> float | None:
        """When the record was last seen; None if this process never saw it."""
        times = (self.records.get(key), self.registries.get(key.registry))
        return max((at for at in times if at is not None), default=None)

    def among(self, keys: Set[Key]) -> set[Key]:
        """Those of the keys whose records may have been seen."""
        # The smaller set decides how much is visited.
        found = self.records.keys() & keys
        if self.registries:
            found |= {key for key in keys if key.registry in self.registries}
        return found

    def after(self, before: Home, after: Home, changed: Set[Key], at: float) -> "LastSeen":
        """What is known after a later read: `before` was read at `at`, and `changed` are all records in which the two differ."""
        if not changed and before.set_aside == after.set_aside:
            return self
        had, has = before.set_aside_keys, after.set_aside_keys
        lost = {
            key
            for key in changed | had
            if (key in before.records or key in had) and key not in after.records and key not in has
        }
        unnamed = _unnamed(before) - _unnamed(after)
        registries = {**self.registries, **{row.registry: at for row in unnamed}}
        if len(self.records) + len(lost) > RECORDS_MAX:
            return anything_seen(at)
        back = self.records.keys() & ((changed | has) - lost)
        kept = {key: seen for key, seen in self.records.items() if key not in back} if back else self.records
        return LastSeen({**kept, **dict.fromkeys(lost, at)}, registries)


def anything_seen(at: float) -> LastSeen:
    """Any record may have been seen at this time."""
    return LastSeen({}, dict.fromkeys(REGISTRIES, at))


def _unnamed(home: Home) -> set[SetAside]:
    """The rows without an id, wherever they are in their lists."""
    return {msgspec.structs.replace(row, position=None) for row in home.set_aside if not row.id}
