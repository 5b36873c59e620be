"""Which home a replica is of, as the loop asks and remembers it; whole passes are in `test_other_home`."""

from pathlib import Path

from engine.core.guards.instance import KnownHomes
from engine.core.records.record import Key
from engine.errors import ReplicaError, ReplicaUnavailable
from engine.loop.passes.homes import known_homes, remember_home
from engine.loop.passes.memory import ReplicaMemory
from engine.replicas.history.replica import open_history
from tests.fakes.world import MemoryLedger, MemoryReplica

ENTRY = {Key("config_entry", "a"): "1:x"}


def test_all_that_remember_are_asked(tmp_path: Path) -> None:
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
