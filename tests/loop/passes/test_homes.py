"""Which home a replica is of, as the loop asks and remembers it; whole passes are in `test_other_home`."""

from pathlib import Path

import pytest

from engine.core.guards.instance import KnownHomes
from engine.core.records.record import ConfigEntry, Floor, Key, Record
from engine.errors import ReplicaError, ReplicaUnavailable
from engine.loop.passes.homes import known_homes, remember_home
from engine.loop.passes.memory import ReplicaMemory
from engine.replicas.history.replica import open_history
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import device, entity


class HomelyReplica(MemoryReplica):
    """A replica that remembers its home, or is never read for it."""

    def __init__(self, *, remembers_home: bool) -> None:
        super().__init__()
        self._remembers_home = remembers_home
        self.remembered: list[frozenset[str]] = []

    @property
    def remembers_home(self) -> bool:
        return self._remembers_home

    def home(self) -> frozenset[str]:
        assert self.remembers_home
        return frozenset("h")

    def remember_home(self, entry_ids: frozenset[str]) -> None:
        self.remembered.append(entry_ids)


ENTRY = {Key("config_entry", "a"): "1:x"}


def test_the_memories_of_the_replica_and_the_ledger_are_read(tmp_path: Path) -> None:
    ledger, history = MemoryLedger(), open_history(tmp_path / "h.db")
    ledger.versions["other"] = dict(ENTRY)
    history.remember_home(frozenset({"b"}))
    errors: list[ReplicaError] = []
    assert known_homes(history, ledger, {}, errors.append) == KnownHomes(frozenset("b"), frozenset("a"))
    found = known_homes(MemoryReplica(), ledger, ENTRY, errors.append)
    assert found == KnownHomes(ledger=frozenset("a"), held=frozenset("a"))
    assert errors == []


def test_a_ledger_that_cannot_say_is_reported_and_knows_nothing() -> None:
    ledger = MemoryLedger()
    ledger.fail_with = ReplicaUnavailable("rows", "locked")
    errors: list[ReplicaError] = []
    assert known_homes(MemoryReplica(), ledger, ENTRY, errors.append) == KnownHomes(held=frozenset("a"))
    assert errors == [ledger.fail_with]


def test_a_home_is_remembered_by_the_store_and_by_a_warm_loop(tmp_path: Path) -> None:
    history, memory = open_history(tmp_path / "h.db"), ReplicaMemory(None, {}, {})
    remember_home(history, memory, frozenset("ab"))
    assert history.home() == memory.homes.own == {"a", "b"}
    remember_home(MemoryReplica(), memory, frozenset("bc"))
    assert memory.homes.own == {"a", "b", "c"}


@pytest.mark.parametrize("remembers_home", [True, False])
def test_only_a_replica_that_remembers_its_home_is_read_or_updated(remembers_home: bool) -> None:
    replica, memory = HomelyReplica(remembers_home=remembers_home), ReplicaMemory(None, {}, {})
    found = known_homes(replica, MemoryLedger(), {}, lambda _: None)
    assert found.own == (frozenset("h") if remembers_home else frozenset())
    remember_home(replica, memory, frozenset("ab"))
    assert replica.remembered == ([frozenset("ab")] if remembers_home else [])


def test_a_home_that_is_remembered_already_is_not_written_again() -> None:
    replica, memory = HomelyReplica(remembers_home=True), ReplicaMemory(None, {}, {})
    remember_home(replica, memory, frozenset("ab"), is_written=True)
    assert (replica.remembered, memory.homes.own) == ([], frozenset("ab"))
    for entry_ids in ("ab", "a"):
        remember_home(replica, memory, frozenset(entry_ids))
    assert replica.remembered == []
    remember_home(replica, memory, frozenset("bc"))
    assert replica.remembered == [frozenset("abc")]


def held_by(*devices: Record) -> tuple[set[str], int]:
    """The home of a store that holds these and no config entries, and how many rows were read to learn it."""
    replica = MemoryReplica()
    replica.rows = {record.key: (record, None) for record in devices}
    found = known_homes(replica, MemoryLedger(), replica.rows, lambda _: None)
    return set(found.held), replica.rows_read


def test_a_store_without_config_entries_is_identified_by_its_devices_and_entities() -> None:
    floor = Floor(floor_id="f", name="F")
    assert held_by(device(1, config_entry_id="a"), entity(1, config_entry_id="b"), floor) == ({"a", "b"}, 2)
    assert held_by(device(1, config_entry_id=None), entity(1, config_entry_id="")) == (set(), 2)
    assert held_by(floor) == (set(), 0)
    assert held_by(ConfigEntry(entry_id="e", domain="d"), device(1)) == ({"e"}, 0)


def test_a_thousand_rows_are_enough_to_know_a_home() -> None:
    devices = [device(n, config_entry_id=f"e{n // 1_000}") for n in range(1_001)]
    assert held_by(*reversed(devices)) == ({"e0"}, 1_000)
