"""The records on which a verdict may be another than that of all the rest: counted, listed and found by what people call them."""

from typing import Any

from engine.core.compare.diff import Cause
from engine.core.records.record import Key
from engine.core.records.set_aside import SetAside
from engine.core.state.record_states import State
from engine.core.state.record_verdict import Verdicts
from engine.core.state.status import ReplicaStatus
from engine.core.words import SyncStatus
from tests.commandline.reports import added, changed, foreign, replica, report
from tests.core.state.test_record_verdict import FRESHNESS, NOW, READ, out_of_sync, status, verdict


def entity_of(name: str, **given: Any) -> Any:
    return added(name, registry="entity", entity_id=f"sensor.{name.lower()}", **given)


def test_records_are_counted_once_by_their_verdict_however_many_replicas_differ() -> None:
    both = [changed("Lamp"), changed("Lamp", replica="history"), foreign("Sun"), entity_of("Lamp")]
    reported = out_of_sync(
        *both, replicas=(replica(status="out_of_sync"), replica("history", status="out_of_sync"))
    )
    counts = Verdicts(status(reported), NOW, FRESHNESS).counts()
    assert counts == {State.PENDING: 1, State.FOREIGN: 1, State.MISSING: 1}


def test_the_records_of_a_registry_are_told_apart_by_state_and_all_others_are_alike() -> None:
    aside = SetAside("device", "name", "list", "no text", id="a/b")
    reported = out_of_sync(
        changed("Lamp"),
        foreign("Sun"),
        foreign("Moon"),
        entity_of("Lamp"),
        set_aside=(aside,),
        replicas=(replica(status="out_of_sync", kept=("device/k", "entity/k")),),
    )
    known = ReplicaStatus(
        "sqlite",
        SyncStatus.OUT_OF_SYNC,
        synced_at=NOW,
        compared_at=NOW,
        changed=frozenset({Key("device", "new")}),
    )
    verdicts = Verdicts(status(reported, known), NOW, FRESHNESS)
    states, rest = verdicts.by_state("device")
    assert {state: sorted(ids) for state, ids in states.items()} == {
        State.PENDING: ["lamp", "new"],
        State.FOREIGN: ["moon", "sun"],
        State.SET_ASIDE: ["a/b", "k"],
    }
    assert rest == State.REAL
    assert verdicts.by_state("area") == ({}, State.REAL)
    # Which have another verdict than the rest, each is found by itself as well.
    assert verdicts.singled_out("device") >= {id_ for ids in states.values() for id_ in ids}
    for state, ids in states.items():
        assert {verdicts.of(Key("device", id_)).state for id_ in ids} == {state}


def test_what_a_replica_lacks_is_found_by_id_name_and_entity_id_where_only_one_fits() -> None:
    reported = out_of_sync(
        entity_of("Lamp"), added("Lamp"), changed("Sun"), added("Twin", key="t1"), added("Twin", key="t2")
    )
    verdicts = Verdicts(status(reported), NOW, FRESHNESS)
    lamp = Key("entity", "lamp")
    assert verdicts.missing("SENSOR.lamp") == lamp
    assert verdicts.missing("Entity/Lamp") == lamp
    assert verdicts.missing("lamp", "entity") == lamp
    assert verdicts.missing("t2") == Key("device", "t2")
    # Two have the name, or the row is there, or none has it.
    assert [verdicts.missing(text) for text in ("lamp", "TWIN", "sun", "")] == [None] * 4
    assert verdicts.name_of(lamp) == "Lamp"
    assert verdicts.name_of(Key("entity", "other")) is None


def test_a_change_that_is_under_way_is_pending_since_it_is_known() -> None:
    known = ReplicaStatus(
        "sqlite",
        SyncStatus.IN_SYNC,
        synced_at=NOW,
        compared_at=NOW - 9,
        changed=frozenset({Key("device", "lamp")}),
        pending_since=NOW - 3,
    )
    reported = report(replicas=(replica(),), source=READ)
    found = verdict(reported, "lamp", known)
    assert (found.state, found.cause, found.since) == (State.PENDING, Cause.PENDING, NOW - 3)
