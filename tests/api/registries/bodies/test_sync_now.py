"""A history includes the current state of its record."""

from pathlib import Path

from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.core.state.report import Report
from tests.api.serving import MemoryTimeline, api_over
from tests.homes import NOON

Sample = tuple[Path, Report]


async def test_a_history_includes_the_current_state_of_the_record(sample: Sample) -> None:
    key = Key("device", "gone")
    revisions = [Revision(key, NOON, "create", 1, "b2:1", "r", {"name": "Old"})]
    async with api_over(*sample, timeline=MemoryTimeline({}, revisions)) as api:
        assert (await api.get("/api/devices/gone/history"))["sync"]["state"] == "gone"
