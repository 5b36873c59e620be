"""Two homes and the stores of one: a pass that is refused as a whole leaves no trace, even if repeated."""

from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from engine.core.guards.guard import Policy
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Area, ConfigEntry, Floor, Record
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import Report
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.ports import Replica
from engine.replicas.history.replica import open_history
from engine.replicas.rows.replica import open_rows
from tests.examples import first_quick
from tests.fakes.world import MemoryReplica, MemorySource
from tests.homes import ENTRY, NOON, RUNNING, device, entity, snapshot
from tests.replicas.passes import sql

pytestmark = pytest.mark.anyio

# Every home has a ground floor, and many a kitchen.
COMMON: list[Record] = [
    Floor(floor_id="ground", name="Ground floor"),
    Area(area_id="kitchen", name="Kitchen"),
]
OURS: list[Record] = [ENTRY, device(1), entity(1, device_id=device(1).id), *COMMON]
OTHER = ConfigEntry(entry_id="other", domain="demo", title="Other")
THEIRS: list[Record] = [OTHER, device(9), entity(9, device_id=device(9).id), *COMMON]


class Desk:
    """Files in a folder, and a pass over any two of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory: dict[str, MemoryReplica] = {}

    async def run(
        self, home: list[Record] | Snapshot, rows: str, records: str | None = None, **policy: object
    ) -> dict[str, list[str]]:
        """The guards that spoke, by replica. A records store named `memory...` remembers nothing, as InfluxDB."""
        desired = home if isinstance(home, Snapshot) else snapshot(*home)
        report = await self.report(desired, rows, records, **policy)
        assert not report.errors
        return {r.replica: [refusal.guard for refusal in r.refusals] for r in report.replicas}

    async def report(self, desired: Snapshot, rows: str, records: str | None, **policy: object) -> Report:
        given = {"delete_confirm_seconds": 0.0, **policy}
        options = PassOptions("apply", Policy(**given), frozenset(REGISTRIES), "run", "home")  # type: ignore[arg-type]
        with ExitStack() as stack:
            ledger = stack.enter_context(closing(open_rows(self.folder / rows)))
            replicas: list[Replica] = [ledger]
            if records is not None and records.startswith("memory"):
                made = MemoryReplica("memory", stores_derived=False)
                replicas.append(self.memory.setdefault(records, made))
            elif records is not None:
                replicas.append(stack.enter_context(closing(open_history(self.folder / records))))
            return await Reconciler(
                MemorySource(desired), replicas, ledger, lambda: NOON, lambda *_: None
            ).run(options)

    def content(self, name: str) -> object:
        """Everything in a store, from all tables."""
        if name.startswith("memory"):
            return dict(self.memory[name].rows)
        path = self.folder / name
        tables = [t for (t,) in sql(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {table: sql(path, f"SELECT * FROM {table}") for table in tables}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("records", ["h.db", "memory", None])
async def test_the_second_pass_of_another_home_is_refused_like_the_first(
    desk: Desk, records: str | None
) -> None:
    await desk.run(OURS, "r.db", records)
    stores = ["r.db", *([records] if records else [])]
    before = [desk.content(store) for store in stores]
    for _ in range(3):
        refused = await desk.run(THEIRS, "r.db", records)
        assert all(guards == ["wrong_instance"] for guards in refused.values())
        assert [desk.content(store) for store in stores] == before
    assert not any((await desk.run(OURS, "r.db", records)).values())


@pytest.mark.parametrize("records", ["h.db", "memory"])
async def test_two_homes_may_not_share_a_records_store(desk: Desk, records: str) -> None:
    await desk.run(OURS, "ours.db", records)
    before = desk.content(records)
    for _ in range(3):
        refused = await desk.run(THEIRS, "theirs.db", records)
        assert [guards for name, guards in refused.items() if name != "sqlite"] == [["wrong_instance"]]
        assert desk.content(records) == before
    assert not any((await desk.run(OURS, "ours.db", records)).values())


@pytest.mark.parametrize("records", first_quick(["h.db", "new.db", "memory", "memory-new", None]))
async def test_rows_of_another_home_hold_back_every_replica(desk: Desk, records: str | None) -> None:
    await desk.run(OURS, "ours.db", "h.db")
    await desk.run(OURS, "ours.db", "memory")
    await desk.run(THEIRS, "theirs.db")
    before = desk.content("theirs.db")
    for _ in range(2):
        refused = await desk.run(OURS, "theirs.db", records)
        assert all(guards == ["wrong_instance"] for guards in refused.values())
    assert desk.content("theirs.db") == before


async def test_a_lost_rows_file_is_filled_from_the_home_that_the_records_know(desk: Desk) -> None:
    await desk.run(OURS, "r.db", "h.db")
    refused = await desk.run(THEIRS, "lost.db", "h.db")
    assert refused["history"] == ["wrong_instance"]
    assert not any((await desk.run(OURS, "again.db", "h.db")).values())


async def test_rows_without_our_tables_identify_their_home_themselves(desk: Desk) -> None:
    await desk.run(OURS, "r.db")
    for table in ("applied", "meta", "absences", "changes", "tombstones", "runs"):
        sql(desk.folder / "r.db", f"DROP TABLE reconcile_{table}")
    for _ in range(2):
        refused = await desk.run(THEIRS, "r.db", "new.db")
        assert list(refused.values()) == [["wrong_instance"], ["wrong_instance"]]
    assert not any((await desk.run(OURS, "r.db", "new.db")).values())


async def test_a_file_of_an_earlier_version_is_identified_by_its_applied_records(desk: Desk) -> None:
    await desk.run(OURS, "r.db", "h.db")
    sql(desk.folder / "r.db", "DELETE FROM reconcile_meta WHERE name = 'home'")
    sql(desk.folder / "h.db", "DELETE FROM meta WHERE name = 'home'")
    for _ in range(2):
        assert list((await desk.run(THEIRS, "r.db", "h.db")).values()) == [["wrong_instance"]] * 2


@pytest.mark.parametrize("registries", [{"floor", "area"}, {"device"}])
async def test_a_store_without_config_entries_still_remembers_its_home(
    desk: Desk, registries: set[str]
) -> None:
    part = frozenset(registries)
    await desk.run(snapshot(*OURS).only(part), "r.db", "h.db")
    before = desk.content("h.db")
    for rows in ("r.db", "new.db", "new.db"):
        refused = await desk.run(snapshot(*THEIRS).only(part), rows, "h.db")
        assert refused["history"] == ["wrong_instance"]
    assert desk.content("h.db") == before


@pytest.mark.parametrize("registries", [{"device", "area", "floor"}, {"entity"}])
async def test_a_store_without_memory_is_identified_by_its_devices_and_entities(
    desk: Desk, registries: set[str]
) -> None:
    part = frozenset(registries)
    owned = [msgspec.structs.replace(record, config_entry_id="entry") for record in (device(1), entity(1))]
    ours = snapshot(ENTRY, *owned, *COMMON).only(part)
    await desk.run(ours, "r.db", "memory")
    before = desk.content("memory")
    theirs = snapshot(*THEIRS)
    for home, rows in ((theirs.only(part), "theirs.db"), (theirs, "new.db"), (theirs, "new.db")):
        refused = await desk.run(home, rows, "memory")
        assert refused["memory"] == ["wrong_instance"]
    assert desk.content("memory") == before
    assert not any((await desk.run(ours, "again.db", "memory")).values())


async def test_a_home_may_replace_all_its_config_entries_over_time(desk: Desk) -> None:
    entries = [ConfigEntry(entry_id=f"e{n}", domain="demo") for n in range(6)]
    for now, later in pairwise(entries):
        for records in ("h.db", "memory"):
            assert not any((await desk.run([now, later, *OURS[1:]], "r.db", records)).values())
    # A records store that was away all the time is of the same home.
    await desk.run([entries[0], entries[1], *OURS[1:]], "r.db", "away.db")
    assert not any((await desk.run([entries[-1], *OURS[1:]], "r.db", "away.db")).values())


async def test_another_home_is_accepted_once_and_then_the_first_is_another(desk: Desk) -> None:
    await desk.run(OURS, "r.db", "h.db")
    await desk.run(OURS, "r.db", "memory")
    for records in ("h.db", "memory"):
        # Deletes wait for their second look, so that the stores hold the records of both homes.
        waiting = {"delete_confirm_seconds": 60.0}
        assert not any((await desk.run(THEIRS, "r.db", records, allow_new_instance=True, **waiting)).values())
        assert all(guards for guards in (await desk.run(OURS, "r.db", records, **waiting)).values())
        assert not any((await desk.run(THEIRS, "r.db", records, **waiting)).values())


async def test_a_source_without_config_entries_is_refused_as_a_whole(desk: Desk) -> None:
    await desk.run(OURS, "r.db", "h.db")
    before = [desk.content("r.db"), desk.content("h.db")]
    for _ in range(2):
        assert set(map(tuple, (await desk.run(COMMON, "r.db", "h.db")).values())) == {("wrong_instance",)}
    assert [desk.content("r.db"), desk.content("h.db")] == before


async def test_recovery_mode_neither_begins_nor_ends_an_absence(desk: Desk) -> None:
    await desk.run(OURS, "r.db", "h.db")
    await desk.run([r for r in OURS if r not in COMMON], "r.db", "h.db", delete_confirm_seconds=60.0)
    before = [desk.content("r.db"), desk.content("h.db")]
    recovery = msgspec.structs.replace(RUNNING, recovery_mode=True)
    refused = await desk.run(snapshot(ENTRY, *COMMON, device(77), health=recovery), "r.db", "h.db")
    assert set(map(tuple, refused.values())) == {("recovery_mode",)}
    assert [desk.content("r.db"), desk.content("h.db")] == before
