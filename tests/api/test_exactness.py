"""Where the history was thinned, an answer about a time says how exact it is."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from api.exactness import HEADER
from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.core.state.kept_past import NOTHING_FORGOTTEN, Forgotten
from engine.core.state.report import Report
from tests.api.serving import api_over
from tests.api.test_past import timeline_of_sample
from tests.homes import NOON

THINNED = Forgotten(
    by_age=1_234, known_from=NOON, by_thinning=5, thinned_until=NOON + 3600, thinned_seconds=600
)


async def test_answers_about_a_thinned_time_say_how_exact_they_are(sample: tuple[Path, Report]) -> None:
    timeline = await timeline_of_sample()
    timeline.known = THINNED
    async with api_over(*sample, timeline=timeline) as api:
        later = [replace(replica, synced_at=NOON + 3600) for replica in api.status.replicas]
        api.now, api.status = NOON + 3600, replace(api.status, replicas=tuple(later))
        id_ = (await api.get("/api/devices?limit=1"))["devices"][0]["device_id"]
        for path in ("/api/devices", f"/api/devices/{id_}"):
            for at, reported in (("12:30", "600"), ("13:00", None)):
                answer = await api.client.get(f"{path}?at=2026-11-23T{at}:00Z")
                assert (answer.status_code, answer.headers.get(HEADER)) == (200, reported)


async def test_the_page_of_a_record_reports_forgotten_revisions(sample: tuple[Path, Report]) -> None:
    timeline = await timeline_of_sample()
    async with api_over(*sample, timeline=timeline) as api:
        id_ = (await api.get("/api/devices?limit=1"))["devices"][0]["device_id"]
        timeline.revisions = [Revision(Key("device", id_), NOON, "update", 10, "b2:1", "r", {})]
        assert "Forgotten" not in (await api.client.get(f"/device?id={id_}")).text
        timeline.known = THINNED
        assert THINNED.sentence in (await api.client.get(f"/device?id={id_}")).text


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (NOTHING_FORGOTTEN, ""),
        (
            THINNED,
            "Forgotten: 1,234 older than 2026-11-23T12:00:00.000Z, and 5 followed by another within an interval of 600 s.",
        ),
        (Forgotten(known_from=NOON), ""),
    ],
)
def test_forgotten_revisions_of_a_record_are_counted(known: Forgotten, said: str) -> None:
    assert known.sentence == said
