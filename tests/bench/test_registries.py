"""The benchmarks' input is as described, and the timed passes do their job."""

from pathlib import Path

import pytest

from bench.driving import ScriptedConnection, ScriptedSource, cold_pass, entries_answers, kept, tokenise
from bench.figures import Figure, ratio
from bench.plot import plot
from bench.registries import capture_files, make_home, records_of, snapshot_of
from engine.core.records.record import Entity
from engine.replicas.rows.replica import open_rows
from tests.examples import first_quick

SIZE = 164


def test_one_seed_and_size_give_the_same_bytes() -> None:
    assert make_home(SIZE) == make_home(SIZE)
    assert make_home(SIZE) != make_home(SIZE, seed=1)


@pytest.mark.parametrize("share", first_quick([0.0, 0.01, 0.25, 1.0]))
def test_the_requested_number_of_entities_differs(share: float) -> None:
    before, after = (snapshot_of(records_of(make_home(1_000, changed=part))) for part in (0.0, share))
    same = before.home.hashes.items() & after.home.hashes.items()
    assert len(before.home.hashes) - len(same) == 1_000 * share
    assert len(before.home.hashes) == len(after.home.hashes)


def test_rows_are_as_long_as_real_ones_and_devices_as_full() -> None:
    home = make_home(2_000)
    records = records_of(home)
    entities = [record for record in records if isinstance(record, Entity)]
    devices = {entity.device_id for entity in entities}
    assert 8 <= len(entities) / len(devices) <= 10
    # 2026.11.0 with 20,000 entities: 665 bytes per list row; in get_entries 840 with its entity_id in front.
    assert 640 <= len(home.answers["config/entity_registry/list"]) / 2_000 <= 690
    assert 800 <= sum(map(len, entries_answers(home))) / 2_000 <= 880


async def test_passes_over_a_scripted_home_bring_the_rows_up_to_date(tmp_path: Path) -> None:
    homes = make_home(SIZE), make_home(SIZE, changed=0.25)
    before, after = map(ScriptedConnection, homes)
    file = tmp_path / "rows.db"
    await cold_pass(before, file)
    rows = open_rows(file)
    async with kept(rows, ScriptedSource()) as replica:
        for connection in (before, after, before, after):
            await replica.relist(connection)
    assert rows.observe().versions == snapshot_of(records_of(homes[1])).home.row_versions
    rows.close()
    assert tokenise(homes[0]) > SIZE


def test_a_recording_of_a_home_has_the_names_that_the_source_looks_for() -> None:
    assert {
        "entity_registry_list.json",
        "device_registry_list.json",
        "entity_registry_get_entries.json",
    } <= set(capture_files(make_home(9)))


def test_a_figure_knows_whether_its_budget_is_met() -> None:
    slow = Figure(name="pass", size="9 entities", value=3, unit="x floor", budget=2)
    assert slow.verdict == "MISSED"
    fast = Figure(name="pass", size="9 entities", value=30, unit="x as fast", budget=25, at_least=True)
    assert fast.verdict == "met"
    assert ratio({"a": [2.0, 8.0, 9.0], "b": [1.0, 2.0, 3.0]}, "a", "b") == 4.0, "the worst of three"


def test_the_plot_is_the_same_for_the_same_figures(tmp_path: Path) -> None:
    lines = {"floor": [(1_300, 0.7), (20_000, 11.0)], "cold": [(1_300, 52.0), (20_000, 881.0)]}
    for name in ("one.svg", "two.svg"):
        plot(tmp_path / name, lines)
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert text.count("<polyline") == 2
    assert "cold: 881 ms" in text
