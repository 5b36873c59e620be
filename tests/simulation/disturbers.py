"""Other programs that write to a replica: they change rows, delete rows, and invent rows.

Each returns the keys it touched, and whether only this program knows the row.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import apsw
import msgspec

from engine.core.records.record import Device, Key
from tests.fakes.world import MemoryReplica
from tests.simulation.stores import HostileStore


def disturb_memory(store: HostileStore, random: Random) -> Iterator[tuple[Key, bool]]:
    """Write to a dictionary; noticed by its stamp, or not before it is verified."""
    replica: MemoryReplica = store.inner
    replica.edits += store.stores_derived or random.random() < 0.5
    keys = sorted(replica.rows)
    what = random.choice(["edit", "delete", "invent"]) if keys else "invent"
    if what == "invent":
        made = Device(id=f"mock{random.randint(0, 99):028}", name="Sun")
        replica.rows[made.key] = (made, None)
        yield made.key, True
        return
    key = random.choice(keys)
    record, derived = replica.rows[key]
    if what == "delete":
        del replica.rows[key]
    else:
        field = "title" if key.registry == "config_entry" else "name"
        changed = msgspec.structs.replace(record, **{field: f"Mocked {random.randint(0, 99)}"})
        replica.rows[key] = (changed, derived)
    yield key, key in store.tampering.foreign


def disturb_rows(path: Path, store: HostileStore, random: Random) -> Iterator[tuple[Key, bool]]:
    """Write to the rows file as any SQLite tool would."""
    held = sorted(k for k in store.held() if k.registry in ("device", "area"))
    table = {"device": ("devices", "device_id"), "area": ("areas", "area_id")}
    what = random.choice(["edit", "delete", "invent"]) if held else "invent"
    if what == "invent" and not path.exists():
        return
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(0)
    try:
        if what == "invent":
            key = Key("device", f"mock{random.randint(0, 99):028}")
            connection.execute("INSERT OR IGNORE INTO devices (device_id, name) VALUES (?, 'Sun')", (key.id,))
            yield key, True
            return
        key = random.choice(held)
        name, id_column = table[key.registry]
        if what == "delete":
            connection.execute(f"DELETE FROM {name} WHERE {id_column} = ?", (key.id,))
        else:
            connection.execute(f"UPDATE {name} SET name = 'Mocked' WHERE {id_column} = ?", (key.id,))
        yield key, key in store.tampering.foreign
    finally:
        connection.close()


def leave_alone(_store: HostileStore, _random: Random) -> Iterator[tuple[Key, bool]]:
    """Nobody writes to the history file."""
    return iter(())
