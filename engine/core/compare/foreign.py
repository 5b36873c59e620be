"""Why a foreign row looks mocked: signs that would have exposed the five invented devices.

A row that Home Assistant does not have and that we never wrote is foreign whatever it looks like; the
reasons only help the user decide. They are facts about the rows, never guesses about a device's health.
"""

from collections import Counter
from collections.abc import Mapping

from engine.core.compare.stored import StoredRow
from engine.core.records.record import Key


def foreign_reasons(
    rows: Mapping[Key, StoredRow], known_ids: frozenset[Key], populated_devices: frozenset[str]
) -> dict[Key, tuple[str, ...]]:
    """The reasons for each foreign row, in a fixed order.

    `known_ids` are all keys that Home Assistant is known to have had (tombstones included);
    `populated_devices` are the ids of devices that an entity row refers to.
    """
    shared = Counter((column, stamp) for row in rows.values() for column, stamp in row.timestamps.items())
    return {key: tuple(_reasons(key, row, known_ids, populated_devices, shared)) for key, row in rows.items()}


def _reasons(
    key: Key,
    row: StoredRow,
    known_ids: frozenset[Key],
    populated_devices: frozenset[str],
    shared: Counter[tuple[str, str]],
) -> list[str]:
    reasons = []
    if key not in known_ids:
        reasons.append("Home Assistant was never seen to have this id")
    for column, stamp in sorted(row.timestamps.items()):
        others = shared[column, stamp] - 1
        if others:
            reasons.append(
                f"its {column} {stamp} is identical to that of {others} other foreign row{'s'[: others > 1]}"
            )
    if key.registry == "device" and key.id not in populated_devices:
        reasons.append("no entity belongs to it")
    return reasons
