"""The snapshot that command results make: whole, or refused; the worse of two answers about health counts."""

import json
from typing import Any

import msgspec
import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.errors import SourceInvalid
from engine.sources.answers.command_results import CommandResults, CoreConfig, SnapshotMaker, decode_config
from engine.sources.answers.listing import Listing


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def snapshot(**parts: Any) -> Snapshot:
    results = CommandResults(**{"entities": Listing(), "lists": {}, "categories": None, **parts})
    return SnapshotMaker().make(results, taken_at=1.0, origin="here")


def running(**fields: Any) -> CoreConfig:
    return CoreConfig(**{"version": "2026.11.0", "state": "RUNNING", "recovery_mode": False, **fields})


def test_of_two_answers_about_its_health_the_worse_counts() -> None:
    assert snapshot(configs=(running(), running())).reading.health.state == "RUNNING"
    assert snapshot(configs=(running(state="STARTING"), running())).reading.health.state == "STARTING"
    assert snapshot(configs=(running(), running(state="STOPPING"))).reading.health.state == "STOPPING"
    assert snapshot(configs=(running(), running(recovery_mode=True))).reading.health.recovery_mode is True
    assert snapshot(configs=(running(), running())).reading.health.recovery_mode is False
    assert snapshot().reading.health.recovery_mode is None


def test_of_get_config_no_position_is_decoded() -> None:
    config = decode_config(raw({"version": "2026.11.0", "latitude": 12.34, "state": "RUNNING"}))

    assert "12.34" not in repr(config)


def test_a_state_that_is_no_text_is_doubt_and_no_failure() -> None:
    odd = decode_config(raw({"state": ["RUNNING"]}))

    assert snapshot(configs=(odd, odd)).reading.health.unread == (
        "The answer to get_config has a state that is a list",
    )
    assert snapshot(configs=(running(), odd)).reading.health.state == "RUNNING"


@pytest.mark.parametrize("answer", [None, [], {"state": "RUNNING", "recovery_mode": "no"}])
def test_without_knowing_of_recovery_mode_nothing_is_read(answer: object) -> None:
    with pytest.raises(SourceInvalid, match="get_config"):
        decode_config(raw(answer))


def test_a_version_that_is_no_text_is_unknown() -> None:
    assert decode_config(raw({"version": 2026.11, "state": "RUNNING"})) == CoreConfig(state="RUNNING")


def test_a_list_that_was_not_answered_is_no_empty_registry() -> None:
    assert snapshot(lists={"area": raw([])}).reading.registries == {"entity", "area"}
    assert snapshot(categories={}).reading.registries == {"entity", "category"}


def test_one_category_id_in_two_scopes_is_two_categories() -> None:
    rows = raw([{"category_id": "c", "name": "C"}])

    found = snapshot(categories={"script": rows, "scene": rows})

    assert {key.id for key in found.home.records} == {"script/c", "scene/c"}


def test_a_read_without_changes_keeps_the_derived_values() -> None:
    maker = SnapshotMaker()
    rows = {"device": raw([{"id": "d", "name": "Lamp"}])}
    first = maker.make(
        CommandResults(entities=Listing(), lists=rows, categories=None, configs=(running(),)),
        taken_at=1.0,
        origin="x",
    )
    versions = first.home.row_versions
    later = CommandResults(
        entities=Listing(), lists=rows, categories=None, configs=(running(state="STOPPING"),)
    )
    second = maker.make(later, taken_at=2.0, origin="x")

    assert second.home.row_versions is versions
    assert (first.reading.taken_at, first.reading.health.state) == (1.0, "RUNNING")
    assert (second.reading.taken_at, second.reading.health.state) == (2.0, "STOPPING")


def test_an_upgrade_without_changes_derives_again() -> None:
    maker = SnapshotMaker()
    lists = {"device": raw([{"id": "d", "name": "Lamp"}])}
    results = [
        CommandResults(entities=Listing(), lists=lists, categories=None, configs=(running(version=version),))
        for version in ("2026.3.0", "2026.4.0")
    ]

    first, second = (maker.make(result, taken_at=1.0, origin="x") for result in results)

    assert second.home.row_versions is not first.home.row_versions


@pytest.mark.parametrize("later_name", ["Lamp", "Lamp, renamed"])
def test_a_row_that_is_listed_twice_for_a_while_is_one_record_again_afterwards(later_name: str) -> None:
    maker = SnapshotMaker()

    def read(*rows: dict[str, str]) -> Snapshot:
        results = CommandResults(
            entities=Listing(), lists={"device": raw(rows)}, categories=None, configs=(running(),)
        )
        return maker.make(results, taken_at=1.0, origin="x")

    lamp, other = {"id": "d", "name": "Lamp"}, {"id": "e", "name": "Fan"}
    assert set(read(lamp, other).home.records) == {Key("device", "d"), Key("device", "e")}
    twice = read(lamp, other, lamp)
    assert set(twice.home.records) == {Key("device", "e")}
    assert twice.home.set_aside_keys == {Key("device", "d")}
    once = read({**lamp, "name": later_name}, other)
    assert set(once.home.records) == {Key("device", "d"), Key("device", "e")}
    assert (once.home.set_aside, once.home.counts["device"]) == ((), 2)


def test_an_area_that_is_set_aside_keeps_its_place_in_the_order() -> None:
    rows = [
        {"area_id": ["a"], "name": "A"},
        {"area_id": "b", "name": "B"},
        {"name": "C"},
        {"area_id": "d", "name": "D"},
    ]

    found = snapshot(lists={"area": raw(rows)}, configs=(running(),))

    assert found.home.positions == {Key("area", "b"): 1, Key("area", "d"): 3}
