"""Homes of the past are made once, as long as they stay the same; one record is found without its home."""

from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from api.http.problems import Problem
from api.past_homes import KEPT_MAX, AskedRecord, PastHomes
from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.replicas.rows.queries.in_memory import rows_in_memory
from tests.api.serving import MemoryTimeline
from tests.homes import ENTRY, NOON, device, entity


class CountingTimeline(MemoryTimeline):
    """A past with an edge that tests set."""

    def __init__(self) -> None:
        super().__init__({r.key: r for r in (ENTRY, device(1), entity(1))})
        self.edges: dict[float, Hashable] = {}
        self.asked: list[object] = []

    def as_of(self, at: float) -> Mapping[Key, Revision]:
        self.asked.append(at)
        return super().as_of(at)

    def as_of_record(self, at: float, registry: str, asked: str) -> Mapping[Key, Revision]:
        self.asked.append((registry, asked))
        return {key: r for key, r in self.records.items() if key.id == asked}

    def edge(self, at: float) -> Any:
        return self.edges.get(at)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOON + seconds, UTC)


def read(homes: PastHomes, timeline: MemoryTimeline, seconds: float, asked: AskedRecord | None = None) -> Any:
    return homes.at(timeline, rows_in_memory, at(seconds), asked)


def test_a_home_is_made_once_until_its_edge_moves() -> None:
    homes, timeline = PastHomes(), CountingTimeline()
    timeline.edges = {NOON + 1: "a", NOON + 2: "a"}
    first = read(homes, timeline, 1)
    assert read(homes, timeline, 2) is first
    assert read(homes, timeline, 1, AskedRecord("device", "never")) is first, "it has all of them"
    assert len(timeline.asked) == 1
    timeline.edges = {NOON + 1: "b"}
    assert read(homes, timeline, 1) is not first


def test_a_past_home_with_an_unknown_edge_is_not_cached() -> None:
    homes, timeline = PastHomes(), CountingTimeline()
    assert read(homes, timeline, 1) is not read(homes, timeline, 1)


def test_the_homes_that_were_read_last_are_kept() -> None:
    homes, timeline = PastHomes(), CountingTimeline()
    timeline.edges = {NOON + n: n for n in range(KEPT_MAX + 1)}
    made = [read(homes, timeline, n) for n in range(KEPT_MAX)]
    assert read(homes, timeline, 0) is made[0]
    read(homes, timeline, KEPT_MAX)
    assert read(homes, timeline, 0) is made[0]
    assert read(homes, timeline, 1) is not made[1], "it was the one not read for longest"


def test_one_record_is_found_without_the_home() -> None:
    homes, timeline = PastHomes(), CountingTimeline()
    timeline.edges = {NOON + 1: "a"}
    home = read(homes, timeline, 1, AskedRecord("device", device(1).id))
    assert (home.rows.count("device", ()), home.rows.count("entity", ())) == (1, 0)
    assert timeline.asked == [("device", device(1).id)]


def test_where_a_record_is_not_the_home_says_whether_anything_was_known() -> None:
    homes, timeline = PastHomes(), CountingTimeline()
    home = read(homes, timeline, 1, AskedRecord("device", "never"))
    assert home.rows.row("device", (), "never") is None
    with pytest.raises(Problem, match="do not reach back"):
        read(homes, timeline, -1, AskedRecord("device", "never"))


def test_a_record_that_cannot_be_read_is_named_by_its_registry() -> None:
    homes, timeline = PastHomes(), CountingTimeline()
    broken = Key("category", "script/1")
    timeline.records[broken] = Revision(broken, NOON, "create", 1, "b2:0", "r", {"payload": "junk"})
    home = read(homes, timeline, 1)
    assert set(home.unreadable) == {"category"}
    assert home.rows.count("entity", ()) == 1


def test_names_follow_the_version_that_wrote_last() -> None:
    homes, timeline = PastHomes(), CountingTimeline()
    lamp = entity(1, name="Lamp", device_id=device(1).id)
    for version, shown in (("2024.3.3", "Lamp"), ("2026.11.0", "Device 1 Lamp")):
        timeline.records[lamp.key] = Revision(lamp.key, NOON, "create", 1, "b2:0", "r", lamp, version)
        rows = read(homes, timeline, 1).rows
        assert rows.row("entity", ("effective_name",), lamp.entity_id) == (lamp.entity_id, shown)
