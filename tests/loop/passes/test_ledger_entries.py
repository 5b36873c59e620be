"""Another store, or an empty one, is filled: its differences are no changes by another program."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.core.compare.diff import IN_PROGRESS, Cause, Difference
from engine.core.compare.plan import Action, Operation
from engine.core.guards.guard import Policy
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Area
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.errors import ReplicaUnavailable
from engine.loop.passes.ledger_entries import LedgerEntries, keys_to_mark
from engine.loop.passes.memory import ReplicaMemory
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.ports import Run
from engine.replicas.history.replica import open_history
from engine.replicas.rows.replica import open_rows
from engine.replicas.sqlite_file.database import ApswFile
from tests.fakes.world import MemoryLedger, MemoryReplica, MemorySource
from tests.homes import ENTRY, NOON, device, entity, snapshot

pytestmark = pytest.mark.anyio

OLD = snapshot(ENTRY, device(1), entity(1))
NEW = snapshot(ENTRY, device(1, name="Renamed"), entity(1), at=NOON + 60)


class PlacedLedger(MemoryLedger):
    """A ledger that remembers which store each replica is."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, str] = {}

    def place(self, replica: str) -> str | None:
        return self.places.get(replica)

    def note_place(self, replica: str, place: str) -> None:
        self.places[replica] = place


async def one_pass(
    store: MemoryReplica, ledger: MemoryLedger, home: Snapshot, place: str, mode: str = "apply"
) -> Report:
    places = {store.name: place}
    options = PassOptions(Mode(mode), Policy(), frozenset(REGISTRIES), "run", "home", places=places)
    return await Reconciler(MemorySource(home), [store], ledger, lambda: NOON, lambda *_: None).run(options)


def causes(report: Report) -> Counter[str]:
    return Counter(record.cause for record in report.records)


async def test_a_new_store_is_filled_and_not_called_vandalised() -> None:
    ledger = PlacedLedger()
    await one_pass(MemoryReplica(), ledger, OLD, "a")
    other = MemoryReplica()
    for mode in ("dry_run", "apply"):
        assert causes(await one_pass(other, ledger, OLD, "b", mode)) == {"pending": 3}
    assert set(other.rows) == set(OLD.home.records)


async def test_a_store_that_was_emptied_in_its_place_is_filled() -> None:
    ledger = MemoryLedger()
    await one_pass(MemoryReplica(), ledger, OLD, "a")
    assert causes(await one_pass(MemoryReplica(), ledger, OLD, "a")) == {"pending": 3}


async def test_an_older_store_is_brought_up_to_date_and_its_rows_are_no_drift() -> None:
    ledger, first, second = PlacedLedger(), MemoryReplica(), MemoryReplica()
    await one_pass(first, ledger, OLD, "a")
    await one_pass(second, ledger, NEW, "b")
    assert causes(await one_pass(first, ledger, NEW, "a")) == {"pending": 1}
    # From then on it is the store that the entries are about.
    first.edit(device(1).key, name="Mocked")
    assert causes(await one_pass(first, ledger, NEW, "a")) == {"drift": 1}


async def test_ledger_entries_of_another_store_are_forgotten() -> None:
    ledger = PlacedLedger()
    await one_pass(MemoryReplica(), ledger, snapshot(ENTRY, device(1), device(9)), "a")
    await one_pass(MemoryReplica(), ledger, OLD, "b")
    assert ledger.versions["memory"].keys() == OLD.home.records.keys()


async def test_rows_deleted_by_others_in_the_same_store_are_drift() -> None:
    ledger, store = PlacedLedger(), MemoryReplica()
    await one_pass(store, ledger, OLD, "a")
    del store.rows[device(1).key]
    assert causes(await one_pass(store, ledger, OLD, "a")) == {"drift": 1}


async def test_a_first_fill_takes_one_transaction_per_store_and_two_in_a_separate_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, writing = Counter[str](), ApswFile.writing
    monkeypatch.setattr(ApswFile, "writing", lambda file: (begun.update([file.path.name]), writing(file))[1])
    rows, history = open_rows(tmp_path / "rows.db"), open_history(tmp_path / "history.db")
    places = {"history": "here"}
    options = PassOptions(Mode.APPLY, Policy(), frozenset(REGISTRIES), "run", "home", places=places)
    area = Area(area_id="a", name="A")
    home = snapshot(ENTRY, area, device(1), entity(1), positions={area.key: 0})
    reconciler = Reconciler(MemorySource(home), [rows, history], rows, lambda: NOON, lambda *_: None)
    assert (await reconciler.run(options)).status == "in_sync"
    assert begun == {"rows.db": 3, "history.db": 1}
    assert rows.home() == history.home() == home.home.entry_ids
    assert (rows.place("history"), history.order()) == ("here", home.home.positions)
    assert rows.applied("history") == home.home.hashes
    rows.close()
    history.close()


class Cut(MemoryReplica):
    """A store of our own that dies when it is written to."""

    is_exclusive = True

    def apply(self, operations: Sequence[Operation], run: Run) -> None:
        super().apply(operations, run)
        raise ReplicaUnavailable(self.name, "killed")


async def test_a_store_that_marks_nothing_is_noted_with_its_first_entries() -> None:
    ledger, store = PlacedLedger(), Cut()
    await one_pass(store, ledger, OLD, "a")
    assert (ledger.places, ledger.versions) == ({}, {})
    whole = MemoryReplica()
    whole.rows = store.rows
    assert causes(await one_pass(whole, ledger, OLD, "a")) == {}
    assert ledger.places == {"memory": "a"}
    assert ledger.versions["memory"].keys() == OLD.home.records.keys()


async def test_rows_of_an_interrupted_write_stay_marked_as_ours_in_this_store() -> None:
    ledger, store = PlacedLedger(), Cut()
    store.is_exclusive = False
    await one_pass(store, ledger, OLD, "a")
    assert ledger.places == {"memory": "a"}
    assert set(ledger.versions["memory"].values()) == {IN_PROGRESS}


def test_written_keys_are_marked_and_in_an_exclusive_store_only_known_ones() -> None:
    class Exclusive(MemoryReplica):
        is_exclusive = True

    known, new, old = device(1).key, device(2).key, device(3).key
    written = [
        Operation(Action.UPSERT, Difference(known, Cause.PENDING, "1:n", "1:o", "1:o"), None, None),
        Operation(Action.MOVE, Difference(new, Cause.PENDING, "1:n", None, None), None, None, moved_from=old),
    ]
    memory = ReplicaMemory(None, {}, {known: "1:o", old: "1:o", device(9).key: "1:o"})
    assert keys_to_mark(written, memory, MemoryReplica()) == [known, new, old]
    assert keys_to_mark(written, memory, Exclusive()) == [known, old]
    assert keys_to_mark(written, None, Exclusive()) == [known, new, old]


def test_a_store_that_keeps_the_ledger_forgets_no_entries_even_when_empty() -> None:
    class Rows(MemoryReplica):
        keeps_ledger = True

    class Timed(MemoryLedger):
        at: float | None = None

        def record_applied(self, *given: Any, **_named: Any) -> None:
            self.at = given[2]

    ledger, applied = Timed(), {device(1).key: "1:a"}
    entries = LedgerEntries(Rows(), ledger, None)
    assert entries.about({}, applied) == applied
    entries.begin(NOON, [], None)
    assert ledger.at is None, "nothing is forgotten"
    entries = LedgerEntries(MemoryReplica(), ledger, None)
    assert entries.about({}, applied) == {}
    entries.begin(NOON, [], None)
    assert ledger.at == NOON


def test_a_failing_ledger_blocks_a_write_only_if_entries_or_the_place_change() -> None:
    class Full(PlacedLedger):
        def record_applied(self, *_given: Any, **_named: Any) -> None:
            raise ReplicaUnavailable("ledger", "the disk is full")

    difference = Difference(device(1).key, Cause.PENDING, "1:n", None, None)
    written = [Operation(Action.UPSERT, difference, None, None)]
    LedgerEntries(MemoryReplica(), Full(), None).begin(NOON, written, None)
    noted = Full()
    noted.note_place("memory", "a")
    LedgerEntries(MemoryReplica(), noted, "a").begin(NOON, written, None)
    with pytest.raises(ReplicaUnavailable):
        LedgerEntries(MemoryReplica(), Full(), "a").begin(NOON, written, None)
    stale = LedgerEntries(MemoryReplica(), Full(), None)
    stale.about({}, {device(1).key: "1:a"})
    with pytest.raises(ReplicaUnavailable):
        stale.begin(NOON, [], None)


def test_a_place_is_noted_only_when_it_differs_from_the_ledgers() -> None:
    ledger = PlacedLedger()
    ledger.places = {"memory": "a"}
    for place, taken in (("a", None), (None, None), ("b", "b")):
        entries = LedgerEntries(MemoryReplica(), ledger, place)
        assert entries.is_elsewhere() == (place == "b")
        entries.begin(NOON, [], None)
        assert entries.take_place() == taken
