"""The history file: every version of every record, appended only, and the home as of any moment."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from engine.core.compare.diff import Cause
from engine.core.home.snapshot import Snapshot
from engine.core.records.record_json import canonical_fields
from engine.replicas.history.replica import HistoryFile, open_history
from engine.replicas.rows.replica import SqliteRows, open_rows
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import folder_state, one_pass, plan_of, sql

HOME = snapshot(ENTRY, device(1), entity(1, modified_at=1729105200.5))


class Kept(msgspec.Struct):
    history: HistoryFile
    ledger: SqliteRows

    def write(self, desired: Snapshot, at: float = NOON) -> None:
        one_pass(self.history, self.ledger, desired, at=at)

    def story(self) -> list[tuple[str, int]]:
        return [(r.op, r.rev) for r in self.history.timeline(entity(1).key)]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(
        open_history(tmp_path / "history.db", busy_timeout_seconds=0), open_rows(tmp_path / "rows.db")
    )
    yield made
    made.history.close()
    made.ledger.close()


def test_a_timeline_counts_every_revision_also_across_a_deletion(kept: Kept) -> None:
    kept.write(HOME)
    kept.write(snapshot(ENTRY, entity(1, name="Lamp")), NOON + 1)
    kept.write(snapshot(ENTRY), NOON + 2)
    kept.write(HOME, NOON + 3)
    assert kept.story() == [("create", 1), ("update", 2), ("delete", 3), ("create", 4)]
    first, second, third, _ = kept.history.timeline(entity(1).key)
    assert first.fields == canonical_fields(HOME.home.records[entity(1).key])
    assert (first.hash, first.run_id) == (HOME.home.hashes[entity(1).key], "run")
    assert second.fields["name"] == "Lamp"
    assert (third.hash, third.fields) == ("-", {})
    assert [round(r.at - NOON) for r in kept.history.timeline(entity(1).key)] == [0, 1, 2, 3]
    assert sql(
        kept.history.path,
        "SELECT DISTINCT modified_us FROM records WHERE op = 'create' AND registry = 'entity'",
    ) == [(1729105200500000,)]


def test_the_home_as_of_a_time_holds_everything_committed_by_then(kept: Kept) -> None:
    kept.write(HOME)
    kept.write(snapshot(ENTRY, entity(1, name="Lamp")), NOON + 10)
    assert kept.history.as_of(NOON - 1) == {}
    assert {k: r.hash for k, r in kept.history.as_of(NOON).items()} == HOME.home.hashes
    assert {k: r.hash for k, r in kept.history.as_of(NOON + 9).items()} == HOME.home.hashes
    assert set(kept.history.as_of(NOON + 10)) == {ENTRY.key, entity(1).key}
    assert list(kept.history.as_of(NOON)) == sorted(HOME.home.records)


def test_commit_times_increase_although_the_clock_goes_back(kept: Kept) -> None:
    kept.write(HOME, NOON)
    kept.write(snapshot(ENTRY, entity(1, name="Lamp")), NOON - 3600)
    assert kept.history.observe().versions == snapshot(ENTRY, entity(1, name="Lamp")).home.hashes
    times = sql(kept.history.path, "SELECT at_ns FROM records ORDER BY rowid")
    assert len(set(times)) == len(times) == 5


@pytest.mark.parametrize(
    ("statement", "cause"),
    [
        (
            "UPDATE records SET payload = json_set(payload, '$.platform', 'x') WHERE registry = 'entity'",
            Cause.DRIFT,
        ),
        (
            "UPDATE records SET payload = json_set(payload, '$.modified_at', 1) WHERE registry = 'entity'",
            Cause.DRIFT,
        ),
        ("UPDATE records SET payload = 'junk' WHERE registry = 'entity'", Cause.DRIFT),
        ("UPDATE records SET payload = CAST(x'ff' AS TEXT) WHERE registry = 'entity'", Cause.DRIFT),
        ("UPDATE records SET payload = x'ff' WHERE registry = 'entity'", Cause.DRIFT),
        ("UPDATE records SET hash = '1:0' WHERE registry = 'entity'", Cause.DRIFT),
        ("UPDATE records SET hash = '-' WHERE registry = 'entity'", Cause.DRIFT),
        ("UPDATE records SET digest = '' WHERE registry = 'entity'", Cause.DRIFT),
        ("DELETE FROM records WHERE registry = 'entity'", Cause.DRIFT),
    ],
)
def test_an_altered_revision_is_repaired_by_another(kept: Kept, statement: str, cause: Cause) -> None:
    kept.write(HOME)
    sql(kept.history.path, statement)
    [operation] = plan_of(kept.history, kept.ledger, HOME).operations
    assert (operation.key, operation.difference.cause) == (entity(1).key, cause)
    kept.write(HOME, NOON + 1)
    assert kept.history.observe().versions == HOME.home.hashes
    assert kept.story()[-1][0] == "repair"


def test_an_altered_tombstone_is_no_record_and_is_buried_again(kept: Kept) -> None:
    kept.write(HOME)
    kept.write(snapshot(ENTRY), NOON + 1)
    sql(kept.history.path, "UPDATE records SET hash = '1:0' WHERE op = 'delete' AND registry = 'entity'")
    assert entity(1).key in kept.history.observe().versions
    one_pass(kept.history, kept.ledger, snapshot(ENTRY), at=NOON + 2, prune_foreign=True)
    assert kept.history.observe().versions == snapshot(ENTRY).home.hashes


def test_a_split_device_ends_one_story_and_begins_another(kept: Kept) -> None:
    kept.write(snapshot(ENTRY, device(1)))
    kept.write(snapshot(ENTRY, device(2), splits={device(1).id: (device(2).id,)}), NOON + 1)
    assert [r.op for r in kept.history.timeline(device(1).key)] == ["create", "delete"]
    assert [r.op for r in kept.history.timeline(device(2).key)] == ["create"]


def test_a_dry_run_reads_the_history_without_a_trace(kept: Kept) -> None:
    kept.write(HOME)
    kept.history.close()
    kept.ledger.close()
    before = folder_state(kept.history.path.parent)
    copy = open_history(kept.history.path, private_copy=True)
    assert copy.observe().versions == HOME.home.hashes
    assert len(copy.timeline(entity(1).key)) == 1
    assert folder_state(kept.history.path.parent) == before
