"""Home Assistant as the engine meets it: the home, and all that comes between the home and what is read of it.

Three truths are kept. `shown` is what the URL says, whoever answers there; `ours` what our home says, whatever
answers at the URL; `durable` what a person would say is in the home, which a corrupt store does not change
before somebody accepts the loss.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
import trio

from engine.core.home.list_order import ORDERED_REGISTRIES, has_order, positions_of
from engine.core.home.reading import SourceHealth
from engine.core.home.snapshot import Snapshot, make_snapshot, version_of
from engine.core.records.record import Entity, Key, Record
from engine.core.records.record_json import encode_record
from tests.simulation.home import NEW, OLD, Home
from tests.simulation.timeline import Doubts, Moments, Timeline
from tests.simulation.wire import Refused, Server

_FIRST_SCOPE = "automation"  # of those that every look asks for
_LISTS = {
    "config/device_registry/list": "device",
    "config/area_registry/list": "area",
    "config/floor_registry/list": "floor",
    "config/label_registry/list": "label",
    "config_entries/get": "config_entry",
}
# Fields that only extended entity rows have.
_EXTENDED = ("aliases", "capabilities", "device_class", "original_device_class", "original_icon")
# What a user who is no administrator may not follow on old cores.
_ADMIN_EVENTS = frozenset(f"{r}_registry_updated" for r in ("floor", "label", "category"))
CORE = Key("core", "config")


@dataclass
class EventWeather:
    """How likely an event is lost, sent twice, or sent late, after others."""

    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0


@dataclass(frozen=True)
class Listing:
    """A list that was answered: when, with which keys, and whether Home Assistant was well."""

    transaction: int
    at: float  # virtual time
    keys: frozenset[Key]
    trusted: bool


class World:
    """Home Assistant and the line to it. Answers what `Server` asks."""

    def __init__(self, random: Random, log: Callable[[str], None]) -> None:
        self.random = random
        self.log = log
        self.moments = Moments()
        self.shown = Timeline(self.moments)
        self.ours = Timeline(self.moments)
        self.durable = Timeline(self.moments)
        self.unreported = Doubts(self.moments)  # an event was lost, or is late
        self.unlisted = Doubts(self.moments)  # left out of lists
        self.listings: dict[str, list[Listing]] = {}
        self.listed_at: dict[str, int] = {}  # the moment at which the last list of a registry was begun
        self.events = EventWeather()
        self.hidden: frozenset[Key] = frozenset()
        self.failing_command = ""
        self.state = "RUNNING"
        self.mode = "home"
        self.corrupt = False
        self.misbehaved = False  # it sent, or may yet send, what no healthy Home Assistant sends
        self._saved: dict[Key, Record] = {}
        self._busy = False
        self._late: list[tuple[str, Any, Key]] = []
        self._lost: set[Key] = set()  # events of these were lost, and they were not read since
        self.is_admin = random.random() < 0.5
        version = random.choice([OLD, NEW, NEW])
        self.home = Home("a", version, self.emit, self.note)
        self.other = Home("b", NEW, lambda *_: None, lambda *_: None)
        self.server = Server(self, Random(random.random()))
        self.home.fill(random)
        self.other.fill(random)
        self.begun = self.moments.now
        self.upgraded_at = 0  # the moment from which names are made by another rule

    # The truth

    def note(self, key: Key, value: str | None) -> None:
        """Our home is different."""
        self.ours.note(key, value)
        if not self.corrupt:
            self.durable.note(key, value)
        if self.mode == "home":
            self.shown.note(key, value)

    @property
    def version(self) -> str:
        """Of what answers at the URL."""
        return self.other.version if self.mode == "wrong" else self.home.version

    def truth(self) -> Snapshot:
        """Our home as a perfect read would see it."""
        return make_snapshot(
            records=self.home.records.values(),
            taken_at=0.0,
            origin="truth",
            registries=frozenset(),
            health=SourceHealth(ha_version=self.home.version),
            positions=self._positions(),
        )

    def _positions(self) -> dict[Key, int]:
        """The user's order of areas and floors, where this core's lists have one."""
        if not has_order(version_of(self.home.version)):
            return {}
        return positions_of({name: [r.key for r in self.home.of(name)] for name in ORDERED_REGISTRIES})

    def is_well(self) -> bool:
        """Whether what is listed now is to be believed."""
        return self.mode == "home" and not self.corrupt and self.state == "RUNNING"

    # What is answered

    def may_follow(self, event_type: str) -> bool:
        """Old cores let only administrators follow some events."""
        return self.is_admin or self.version != OLD or event_type not in _ADMIN_EVENTS

    def answer(self, command: str, params: dict[str, Any]) -> Any:
        """The result of one command, as of now."""
        if command == self.failing_command:
            raise Refused("unknown_error")
        match command:
            case "get_config":
                recovery = self.mode == "recovery"
                return {"version": self.version, "state": self.state, "recovery_mode": recovery}
            case "repairs/list_issues":
                issue = {"issue_id": "storage_corruption_core.device_registry_2026-11-23T12:00:00"}
                return {"issues": [issue] if self.corrupt and self.mode == "home" else []}
            case "config/entity_registry/list":
                return [self._row(r, _EXTENDED) for r in self._list("entity")]
            case "config/entity_registry/get_entries":
                return self._entries(params["entity_ids"])
            case "config/category_registry/list" if self.version != OLD:
                # Listed scope by scope: the look at the registry begins with the first one.
                listed = self._list("category", begins=params["scope"] == _FIRST_SCOPE)
                found = [r for r in listed if r.key.id.startswith(f"{params['scope']}/")]
                return [self._row(r, ("scope",)) for r in found]
            case "config/device_registry/list_composite_splits" if self.version != OLD:
                return {
                    old: {"split_ids": sorted(new), "primary_id": new[0]}
                    for old, new in (self.home.splits if self.mode == "home" else {}).items()
                }
            case _ if command in _LISTS:
                return [self._row(r) for r in self._list(_LISTS[command])]
            case _:
                raise Refused("unknown_command")

    def _records(self) -> dict[Key, Record]:
        if self.mode == "wrong":
            return self.other.records
        if self.mode == "recovery":
            entries = {k: r for k, r in self.home.records.items() if k.registry == "config_entry"}
            lost = Key("device", f"{self.home.name}r{0:030x}")
            ours = next(r for k, r in self.other.records.items() if k.registry == "device")
            return {**entries, lost: msgspec.structs.replace(ours, id=lost.id)}
        return self.home.records

    def _list(self, registry: str, *, begins: bool = True) -> list[Record]:
        found = {k: r for k, r in self._records().items() if k.registry == registry and k not in self.hidden}
        listing = Listing(self.moments.now, trio.current_time(), frozenset(found), self.is_well())
        self.listings.setdefault(registry, []).append(listing)
        if begins:
            self.listed_at[registry] = listing.transaction
        self._settle(lambda key: key.registry == registry and key not in self.hidden)
        rows = list(found.values())
        self.random.shuffle(rows)
        if registry in ORDERED_REGISTRIES:
            rows.sort(key=lambda row: row.key)  # as `Home.of` has them: the user's order
        return rows

    def _entries(self, entity_ids: list[str]) -> dict[str, Any]:
        records = (r for k, r in self._records().items() if k not in self.hidden)
        by_name = {r.entity_id: r for r in records if isinstance(r, Entity)}
        asked = {by_name[e].key for e in entity_ids if e in by_name}
        self._settle(lambda key: key in asked)
        return {e: self._row(by_name[e]) if e in by_name else None for e in entity_ids}

    def _row(self, record: Record, without: tuple[str, ...] = ()) -> Any:
        row = msgspec.json.decode(encode_record(record))
        if self.version == OLD:
            row.pop("modified_at", None)
        for name in without:
            row.pop(name, None)
        return row

    # Events

    def emit(self, event_type: str, data: dict[str, Any], key: Key) -> None:
        """Home Assistant fires an event."""
        if self.mode != "home" or not self.server.sockets:
            return  # no client is connected; the next one lists everything
        draw = self.random.random
        if not self.may_follow(event_type):
            return
        if draw() < self.events.lost:
            self.unreported.begin(key)
            self._lost.add(key)
            self.log(f"event of {key} is lost")
            return
        if draw() < self.events.late:
            self.unreported.begin(key)
            self._late.append((event_type, data, key))
            return
        self._push(event_type, data)
        if draw() < self.events.doubled:
            self._late.append((event_type, data, key))

    def tell_late(self) -> None:
        """Fire what was held back, in any order."""
        held, self._late = self._late, []
        self.random.shuffle(held)
        for event_type, data, key in held:
            self._push(event_type, data)
            # It may say where the record once was, and where it is now was lost.
            if key not in self._lost:
                self.unreported.end(key.__eq__)

    def _settle(self, is_settled: Callable[[Key], bool]) -> None:
        self.unreported.end(is_settled)
        self._lost = {key for key in self._lost if not is_settled(key)}
        self.unlisted.end(is_settled)

    def _push(self, event_type: str, data: dict[str, Any]) -> None:
        bus = {"event_type": event_type, "data": data, "origin": "LOCAL"}
        self.server.push(event_type, [data] if event_type == "config_entries" else bus)

    # What happens to the whole

    def act(self, action: str, random: Random) -> None:
        """Something changes in the home, if it is up."""
        if self.mode != "recovery" and not self.server.network.closed:
            getattr(self.home, action)(random)

    def hide(self, keys: frozenset[Key]) -> None:
        """Lists succeed and lack these records."""
        self.hidden = keys
        for key in keys:
            self.unlisted.begin(key)

    async def restart(self, random: Random, change: Callable[[], object] = lambda: None) -> None:
        """Down, changed, and up again; rows are missing while it starts if it has to rebuild them."""
        if self._busy:
            return
        self._busy = True
        self.server.network.closed = True
        self.server.drop_all()
        await trio.sleep(random.uniform(0.1, 20))
        version = self.home.version
        change()
        if self.home.version != version:
            self.moments.now += 1
            self.upgraded_at = self.moments.now
        self.state = "NOT_RUNNING"
        missing = [k for k in sorted(self.home.records) if k.registry in ("device", "entity")]
        if missing and random.random() < 0.5:
            self.hide(frozenset(random.sample(missing, random.randint(1, len(missing)))))
        self.server.network.closed = False
        await trio.sleep(random.uniform(0.1, 10))
        self._enter("STARTING")
        await trio.sleep(random.uniform(0.01, 1))
        came, self.hidden = sorted(self.hidden), frozenset()
        for key in came:
            if key in self.home.records:
                self.home._announce("create", self.home.records[key])
        self._enter("RUNNING")
        self._busy = False

    def _enter(self, state: str) -> None:
        self.state = state
        self.emit("core_config_updated", {}, CORE)

    def switch(self, mode: str) -> None:
        """Who answers at the URL: our home, our home in recovery mode, or another one."""
        self.mode = mode
        hashes = {"home": self.home.hashes, "wrong": self.other.hashes}
        self.shown.become(hashes.get(mode, {}))

    def lose_devices(self) -> None:
        """The device store is corrupt."""
        if not self.corrupt:
            self.corrupt, self._saved = True, dict(self.home.records)
            self.home.lose_devices()

    def mend(self, *, accept: bool) -> None:
        """A person settles the corrupt store: by a backup, or by living with the loss."""
        if self.corrupt:
            if not accept:
                self.home.restore(self._saved)
            self.corrupt = False
            self.ours.become(self.home.hashes)
            self.durable.become(self.home.hashes)
            if self.mode == "home":
                self.shown.become(self.home.hashes)

    async def calm(self, random: Random) -> None:
        """Every fault stops; what needs a person is done by one."""
        self._busy = False
        self.server.network.closed = True
        self.server.drop_all()
        self.mend(accept=random.random() < 0.5)
        self.switch("home")
        self.hidden = frozenset()
        self.state = "RUNNING"
        self.events = EventWeather()
        self.failing_command = ""
        self._late.clear()
        await trio.sleep(1)
        self.server.calm()
