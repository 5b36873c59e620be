"""What was recorded, as a source: a home to restore from, or one clear sentence why not."""

from collections.abc import Mapping
from typing import Any

import pytest

from engine.core.records.content_hash import content_hash
from engine.core.records.record import Area, Key
from engine.core.records.record_json import canonical_fields
from engine.core.records.revision import Revision
from engine.errors import ReplicaRejected, ReplicaUnavailable, SourceInvalid, SourceUnavailable
from engine.sources.records import RecordsSource
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.sources.recorded_homes import quiet

pytestmark = pytest.mark.anyio


class Recorded:
    """What the source uses of a records replica."""

    name = "history"

    def __init__(self, answer: Mapping[Key, Revision] | Exception) -> None:
        self._answer = answer
        self.asked_at: list[float] = []

    def as_of(self, at: float) -> Mapping[Key, Revision]:
        self.asked_at.append(at)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def order(self) -> Mapping[Key, int]:
        return {}


def source(recorded: Any) -> RecordsSource:
    return RecordsSource(recorded, lambda: NOON)


async def test_the_newest_revisions_are_the_home() -> None:
    home = [ENTRY, device(1), entity(1)]
    recorded = Recorded(
        {r.key: Revision(r.key, 1.0, "create", 1, content_hash(r), "run", canonical_fields(r)) for r in home}
    )
    found = await source(recorded).read(quiet)
    assert found.home.records == snapshot(*home).home.records
    assert found.home.hashes == snapshot(*home).home.hashes
    assert (found.reading.health.state, found.reading.origin) == (None, "records (history)")
    assert recorded.asked_at == [NOON]


@pytest.mark.parametrize(
    ("versions", "shown"),
    [
        ((None, None), "Device 1 Mine"),
        (("2024.3.3", None), "Mine"),
        (("2024.3.3", "2026.11.0"), "Device 1 Mine"),
        (("2026.11.0", "2024.3.3"), "Mine"),
    ],
)
async def test_entities_are_named_by_the_rule_of_the_core_that_was_seen_last(
    versions: tuple[str | None, str | None], shown: str
) -> None:
    home = (device(1), entity(1, device_id=device(1).id, name="Mine"))
    found = await source(
        Recorded(
            {
                r.key: Revision(r.key, at, "create", 1, content_hash(r), "run", canonical_fields(r), version)
                for at, (r, version) in enumerate(zip(home, versions, strict=True))
            }
        )
    ).read(quiet)
    assert found.home.derived[home[1].key].effective_name == shown


class Ordered(Recorded):
    """A records replica that keeps the user's order."""

    def order(self) -> Mapping[Key, int]:
        return {Key("area", "b"): 0, Key("area", "a"): 1}


async def test_areas_come_back_in_the_order_that_was_kept() -> None:
    home = [Area(area_id=name, name=name) for name in "ab"]
    recorded = Ordered(
        {r.key: Revision(r.key, 1.0, "create", 1, content_hash(r), "run", canonical_fields(r)) for r in home}
    )
    found = await source(recorded).read(quiet)
    assert [found.home.derived[r.key].position for r in home] == [1, 0]


async def test_no_record_is_no_empty_home() -> None:
    with pytest.raises(SourceInvalid, match=r"site\.name"):
        await source(Recorded({})).read(quiet)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ReplicaUnavailable("influxdb", "away", "start it"), SourceUnavailable),
        (ReplicaRejected("influxdb", "no such bucket", "make it"), SourceInvalid),
    ],
)
async def test_a_store_that_cannot_be_read_keeps_its_hint(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"(start|make) it"):
        await source(Recorded(error)).read(quiet)


async def test_a_record_that_is_no_such_one_any_more_is_set_aside_under_its_key() -> None:
    found = await source(
        Recorded(
            {
                r.key: Revision(r.key, 1.0, "create", 1, content_hash(r), "run", fields, None)
                for r, fields in (
                    (device(1), canonical_fields(device(1))),
                    (device(2), {"payload": "damaged"}),
                    (device(3), {**canonical_fields(device(3)), "sw_version": ["1"]}),
                )
            }
        )
    ).read(quiet)
    assert set(found.home.records) == {device(1).key, device(3).key}
    assert found.home.set_aside_keys == {device(2).key}
    assert found.home.hashes[device(3).key] == content_hash(device(3, sw_version="['1']"))
