"""Finds records in a bucket: the newest point of some keys, and the entities that ever had an entity_id.

Reads live records in the observed window and others by their id, so that no lookup gets slower with age.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from engine.core.records.record import Key
from engine.replicas.history.revisions import payload_fields
from engine.replicas.influx.reading import Holding, newest_rows
from engine.replicas.influx.schema.points import NONE, key_of, tag_of
from engine.replicas.influx.wires.wire import Scan, Wire

# For more live keys than this, reading the whole window is faster.
_IDS_MAX = 500
# How far back to search for an entity_id; limited because each record is written again every few days.
HOLDERS_NS = 2 * 365 * 86_400 * 1_000_000_000


class Lookup:
    """Finds records of one site on one wire. Every method raises ReplicaError."""

    def __init__(self, wire: Wire, site: str) -> None:
        self._wire = wire
        self._site = site

    def scan_of(self, registries: Iterable[str], fields: tuple[str, ...], **bounds: Any) -> Scan:
        """The scan of these registries' records; `bounds` as in `Scan`."""
        measurements = tuple(sorted(f"ha_{registry}" for registry in registries))
        return Scan(measurements=measurements, site=self._site, fields=fields, **bounds)

    def newest(
        self, keys: Sequence[Key], fields: tuple[str, ...], observed: Holding | None
    ) -> dict[Key, list[Any]]:
        """The newest row of each key that has one; for live records, none older than the observed window."""
        held = observed if observed is not None else Holding(start_ns=1)
        live = [key for key in keys if key in held.times]
        # A record that is not live may have ended at any time before the window, so it is looked up by id.
        found = self._newest_of_ids(
            [k for k in keys if k not in held.times and not held.is_new(k)], fields, 0
        )
        if not live:
            return found
        start_ns = min(held.times[key] for key in live)
        if len(live) <= _IDS_MAX:
            return found | self._newest_of_ids(live, fields, start_ns)
        scan = self.scan_of({key.registry for key in live}, fields, start_ns=start_ns)
        wanted = set(live)
        return found | {key: row for key, row in newest_rows(self._wire.scan(scan)).items() if key in wanted}

    def holders(self, entity_id: str, now_ns: int, window_start_ns: Callable[[], int]) -> list[Key]:
        """The entities that had this entity_id within the last two years, as far back as the bucket keeps them.

        The server searches one short field, and returns the points with this name. Points older than
        that field have the name in their payload; of those only the window of live records is read, which begins at
        `window_start_ns`.
        """
        # Home Assistant's entity_ids are in lower case.
        entity_id = entity_id.strip().lower()
        if entity_id == NONE:
            return []
        start_ns = max(0, now_ns - HOLDERS_NS)
        named = self.scan_of(("entity",), ("entity_id",), equals=entity_id, start_ns=start_ns)
        found = {row[1] for _, rows in self._wire.scan(named) for row in rows if row[-1] == entity_id}
        if not found:
            payloads = self.scan_of(("entity",), ("payload",), start_ns=window_start_ns())
            found = {
                row[1]
                for _, rows in self._wire.scan(payloads)
                for row in rows
                # A text search for the name costs less than decoding.
                if entity_id in str(row[-1])
                and payload_fields("entity", row[-1]).get("entity_id") == entity_id
            }
        return sorted(key for tag in found if (key := key_of("ha_entity", tag)) is not None)

    def _newest_of_ids(
        self, keys: Sequence[Key], fields: tuple[str, ...], start_ns: int
    ) -> dict[Key, list[Any]]:
        found: dict[Key, list[Any]] = {}
        ordered = sorted(keys)
        for first in range(0, len(ordered), _IDS_MAX):
            wanted = set(ordered[first : first + _IDS_MAX])
            ids = tuple(sorted({tag_of(key.id) for key in wanted}))
            scan = self.scan_of({key.registry for key in wanted}, fields, ids=ids, start_ns=start_ns)
            rows = newest_rows(self._wire.scan(scan))
            found |= {key: row for key, row in rows.items() if key in wanted}
        return found
