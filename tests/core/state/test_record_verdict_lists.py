"""Records whose verdict may differ from the others': counted, listed and found by name."""

from typing import Any

import msgspec

from engine.core.compare.diff import Cause
from engine.core.records.record import Key
from engine.core.records.set_aside import SetAside
from engine.core.state.advice import KINDS, command_for
from engine.core.state.record_states import State
from engine.core.state.record_verdict import Verdicts, basis_of
from engine.core.state.report import RefusalReport, Report
from engine.core.state.status import ReplicaStatus, SourceStatus, Status
from engine.core.times import Instant
from engine.core.words import GuardName, SyncStatus
from tests.commandline.reports import added, changed, foreign, removed, replica, report
from tests.core.state.test_record_verdict import FRESHNESS, NOW, READ, out_of_sync, status, verdict


def entity_of(name: str, **given: Any) -> Any:
    return added(name, registry="entity", entity_id=f"sensor.{name.lower()}", **given)


def test_each_record_is_counted_once_even_if_several_replicas_differ() -> None:
    both = [changed("Lamp"), changed("Lamp", replica="history"), foreign("Sun"), entity_of("Lamp")]
    reported = out_of_sync(
        *both, replicas=(replica(status="out_of_sync"), replica("history", status="out_of_sync"))
    )
    counts = Verdicts(status(reported), NOW, FRESHNESS).counts()
    assert counts == {State.PENDING: 1, State.FOREIGN: 1, State.MISSING: 1}


def test_differing_records_have_their_own_state_and_the_others_share_one() -> None:
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


def test_a_record_missing_in_a_replica_is_found_by_id_name_or_entity_id_if_unique() -> None:
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


def both(word: SyncStatus = SyncStatus.OUT_OF_SYNC) -> tuple[ReplicaStatus, ...]:
    return tuple(
        ReplicaStatus(name, word, synced_at=NOW, compared_at=NOW, status_since=NOW - 50)
        for name in ("sqlite", "history")
    )


def test_what_both_replicas_lack_is_one_record_and_no_text_finds_none() -> None:
    reported = out_of_sync(added("Lamp"), added("Lamp", replica="history"))
    verdicts = Verdicts(status(reported, *both()), NOW, FRESHNESS)
    assert verdicts.missing("LAMP") == Key("device", "lamp")
    assert verdicts.missing("") is None


def test_the_time_is_that_of_the_most_severe_difference() -> None:
    earlier, later = Instant(NOW - 900), Instant(NOW - 100)
    reported = out_of_sync(
        changed("Lamp", since=earlier),
        changed("Lamp", replica="history", cause=Cause.DRIFT, since=later),
    )
    assert verdict(reported, "lamp", *both()).since == later
    undated = out_of_sync(
        changed("Lamp", cause=Cause.DRIFT, since=None),
        changed("Lamp", replica="history", cause=Cause.DRIFT, since=later),
    )
    assert verdict(undated, "lamp", *both()).since == later


def held(difference: Any, *guards: GuardName, **source: Any) -> str:
    refusals = tuple(RefusalReport(guard, "m", "h", 1) for guard in guards)
    reported = out_of_sync(
        difference,
        replicas=(replica(status="blocked", refusals=refusals),),
        source=msgspec.structs.replace(READ, **source),
    )
    known = ReplicaStatus("sqlite", SyncStatus.BLOCKED, synced_at=NOW, compared_at=NOW)
    return verdict(reported, "lamp", known, *both()[1:]).next


def test_the_guard_that_is_named_is_the_one_that_fits() -> None:
    lamp, two = removed("Lamp", outcome="held"), (GuardName.DELETE_RATIO, GuardName.REGISTRY_UNREAD)
    for guards in (two, two[::-1]):
        assert held(lamp, *guards) == "Held back by a guard (delete_ratio)."
        assert held(lamp, *guards, registries=("area",)) == "Held back by a guard (registry_unread)."
        waiting = removed("Lamp", outcome="waiting")
        assert held(waiting, *guards) == held(waiting), "no guard holds it"
    assert held(lamp, GuardName.DELETE_RATIO, registries=()) == "Held back by a guard (delete_ratio)."
    assert held(lamp) == "Held back by a guard."
    elsewhere = removed("Lamp", outcome="held", replica="history")
    assert held(elsewhere, *two) == "Held back by a guard.", "of this one no guard is known"


def test_a_record_is_unknown_since_the_first_unknown_replica() -> None:
    unknown = [
        ReplicaStatus(name, SyncStatus.UNKNOWN, status_since=since, compared_at=NOW)
        for name, since in (("sqlite", NOW - 30), ("history", NOW - 70), ("influxdb", None))
    ]
    known = ReplicaStatus("kafka", SyncStatus.IN_SYNC, NOW - 500, synced_at=NOW, compared_at=NOW)
    reported = report(source=READ)
    assert verdict(reported, "lamp", *unknown, known).since == NOW - 70
    assert verdict(reported, "lamp", unknown[2], known).since is None
    other = (RefusalReport(GuardName.WRONG_INSTANCE, "m", "h", 1),)
    refused = report(source=READ, replicas=(replica(status="blocked", refusals=other),))
    blocked = ReplicaStatus("sqlite", SyncStatus.BLOCKED, NOW - 40, compared_at=NOW)
    assert verdict(refused, "lamp", blocked, known).since == NOW - 40


def test_the_reason_is_home_assistant_only_while_that_is_out_of_reach() -> None:
    unknown = ReplicaStatus("sqlite", SyncStatus.UNKNOWN, compared_at=NOW, error="locked")
    for source, reason in (
        (SourceStatus("ws://home", False, error="refused"), "Home Assistant is out of reach: refused"),
        (SourceStatus("ws://home", True, error="refused"), "sqlite: locked"),
        (SourceStatus("ws://home", False), "sqlite: locked"),
    ):
        now = Status("home", "1", 0.0, source, (unknown,), report(source=READ))
        assert Verdicts(now, NOW, FRESHNESS).of(Key("device", "lamp")).reasons == (reason,)


def test_the_basis_is_another_when_anything_that_is_reported_is() -> None:
    def basis(reported: Report, **of_replica: Any) -> tuple[object, ...]:
        known = msgspec.structs.replace(both()[0], **of_replica)
        return basis_of(status(reported, known), NOW, FRESHNESS)

    lamp = out_of_sync(changed("Lamp"))
    aside = (SetAside("device", "id", "null", "it has no id"),)
    others = [
        out_of_sync(changed("Shade")),
        out_of_sync(changed("Lamp"), set_aside=aside),
        out_of_sync(changed("Lamp"), replicas=(replica(status="out_of_sync", kept=("device/k",)),)),
        out_of_sync(changed("Lamp"), source=msgspec.structs.replace(READ, registries=("device",))),
    ]
    assert len({basis(each) for each in (lamp, *others)}) == 5
    assert basis(lamp, pending_since=NOW - 5) == basis(lamp), "nothing has changed since the report"
    key = frozenset({Key("device", "lamp")})
    assert basis(lamp, changed=key, pending_since=NOW - 5) != basis(lamp, changed=key)
    for given in ({"error": "locked"}, {"unproven_since": NOW}, {"changed": key}):
        assert basis(lamp, **given) != basis(lamp)


def test_the_command_follows_the_state_unless_the_next_pass_does_it_anyway() -> None:
    for difference in (changed("Lamp", outcome="observed"), removed("Lamp", outcome="waiting")):
        found = verdict(out_of_sync(difference))
        assert found.command == command_for(found.state, difference.outcome)
    for outcome in ("reported", "waiting", "planned", "failed"):
        stranger = verdict(out_of_sync(foreign("Lamp", outcome=outcome)))
        assert stranger.command == "reconcile --prune-foreign"


def test_what_is_unknown_or_real_comes_with_its_advice() -> None:
    nothing = verdict(None)
    assert (nothing.next, nothing.command) == (KINDS["unknown"].action, KINDS["unknown"].command)
    real = verdict(None, "lamp", both(SyncStatus.IN_SYNC)[0])
    assert (real.reasons, real.next, real.command) == ((KINDS["real"].meaning,), KINDS["real"].action, None)


def test_what_changes_in_two_replicas_is_pending_since_the_first() -> None:
    lamp, shade = Key("device", "lamp"), Key("device", "shade")

    def changing(name: str, compared_at: float, since: float | None, *keys: Key) -> ReplicaStatus:
        return ReplicaStatus(
            name,
            SyncStatus.IN_SYNC,
            synced_at=NOW,
            compared_at=compared_at,
            pending_since=since,
            changed=frozenset(keys),
        )

    two = (
        changing("sqlite", NOW - 9, NOW - 3, lamp),
        changing("history", NOW - 7, None, lamp, shade),
        changing("influxdb", NOW - 9, NOW - 2, lamp, shade),
    )
    reported = report(source=READ, replicas=tuple(replica(each.replica) for each in two))
    assert verdict(reported, "lamp", *two).since == NOW - 7
    assert verdict(reported, "shade", *two).since == NOW - 7


def test_a_row_set_aside_that_says_no_id_is_found_by_its_entity_id_alone() -> None:
    name = "light." + "a" * 300
    row = SetAside("entity", "id", "null", "its id is missing", entity_id=name)
    verdicts = Verdicts(status(report(source=READ, set_aside=(row,))), NOW, FRESHNESS)
    found = verdicts.of(Key("entity", "e1"), entity_id=name)
    assert found.reasons == (
        f"Home Assistant's row ({row.known_as[:200]}) cannot be used: its id is missing.",
    )
    assert verdicts.singled_out("entity") == {name}
