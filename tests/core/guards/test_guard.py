"""Guards: every piece of evidence a delete needs, one test each, and the operations that a refusal does not affect."""

from collections.abc import Mapping
from functools import partial

import msgspec
import pytest

from engine.core.compare.diff import compare
from engine.core.compare.plan import Action, make_plan
from engine.core.compare.stored import StoredRow
from engine.core.guards.absences import Absences, track_absences
from engine.core.guards.guard import Policy, Verdict, review
from engine.core.guards.instance import KnownHomes, entries_among
from engine.core.guards.look import Calendar, Look
from engine.core.home.reading import SourceHealth
from engine.core.home.snapshot import Snapshot, make_snapshot
from engine.core.records.record import ConfigEntry, Key, Record
from engine.core.records.record_json import canonical_fields
from engine.core.records.registries import REGISTRIES
from engine.core.records.set_aside import SetAside
from tests.homes import ENTRY, NOON, RUNNING, device, entity, snapshot

AT_ONCE = Policy(delete_confirm_seconds=0)


def judge(
    desired: Snapshot,
    stored: list[Record],
    policy: Policy = AT_ONCE,
    absences: Mapping[Key, float] | None = None,
) -> Verdict:
    have = snapshot(*stored)
    diff = compare(desired.home.hashes, have.home.hashes, have.home.hashes, desired.reading.registries)
    rows = {key: StoredRow(key, canonical_fields(r)) for key, r in have.home.records.items()}
    plan = make_plan("sqlite", diff, desired, rows, with_derived=False, prune_foreign=False)
    return review(
        plan,
        desired,
        applied=have.home.hashes,
        homes=KnownHomes(held=entries_among(have.home.hashes)),
        observed_count=len(have.home.records),
        absences={key: Look(at) for key, at in (absences or {}).items()},
        policy=policy,
    )


HOME: list[Record] = [ENTRY, *(device(n) for n in range(40)), *(entity(n) for n in range(60))]
ONE_GONE = [r for r in HOME if r is not HOME[-1]]
GONE_KEY = HOME[-1].key


def test_a_confirmed_delete_is_allowed() -> None:
    verdict = judge(snapshot(*ONE_GONE), HOME, Policy(), {GONE_KEY: NOON - 60})
    assert [(o.action, o.key) for o in verdict.allowed] == [(Action.DELETE, GONE_KEY)]
    assert (verdict.held, verdict.waiting, verdict.refusals) == ((), (), ())


@pytest.mark.parametrize("absences", [{}, {GONE_KEY: NOON - 59}])
def test_a_first_absence_waits_and_is_no_refusal(absences: dict[Key, float]) -> None:
    verdict = judge(snapshot(*ONE_GONE), HOME, Policy(), absences)
    assert [o.key for o in verdict.waiting] == [GONE_KEY]
    assert (verdict.allowed, verdict.refusals) == ((), ())


def test_a_record_listed_as_deleted_needs_no_second_read() -> None:
    verdict = judge(snapshot(*ONE_GONE, removed=[GONE_KEY]), HOME, Policy())
    assert [o.key for o in verdict.allowed] == [GONE_KEY]


def test_an_entity_is_deleted_without_a_wait_when_another_has_its_entity_id() -> None:
    heir = entity(99, entity_id="sensor.s59")
    verdict = judge(snapshot(*ONE_GONE, heir), HOME, Policy())
    assert [(o.action, o.key) for o in verdict.allowed] == [
        (Action.DELETE, GONE_KEY),
        (Action.UPSERT, heir.key),
    ]


@pytest.mark.parametrize(
    ("health", "guard"),
    [
        (msgspec.structs.replace(RUNNING, state="STARTING"), "not_running"),
        (msgspec.structs.replace(RUNNING, state="NOT_RUNNING"), "not_running"),
        (msgspec.structs.replace(RUNNING, state="STOPPING"), "not_running"),
        (msgspec.structs.replace(RUNNING, corrupt_stores=("core.device_registry",)), "storage_corruption"),
    ],
)
def test_a_read_in_a_doubtful_state_deletes_nothing_but_still_upserts(
    health: SourceHealth, guard: str
) -> None:
    changed = [*ONE_GONE[:-1], entity(58, name="New name")]
    verdict = judge(snapshot(*changed, health=health), HOME)
    assert [r.guard for r in verdict.refusals] == [guard]
    assert [o.key for o in verdict.held] == [GONE_KEY]
    assert [o.key for o in verdict.allowed] == [entity(58).key]


# Everything except that the records were missed before.
FIRST_LOOK = Policy()


@pytest.mark.parametrize(
    ("health", "guard"),
    [
        (msgspec.structs.replace(RUNNING, state="NOT_RUNNING"), "not_running"),
        (msgspec.structs.replace(RUNNING, corrupt_stores=("core.device_registry",)), "storage_corruption"),
    ],
)
def test_a_doubtful_state_is_reported_at_the_first_read(health: SourceHealth, guard: str) -> None:
    verdict = judge(snapshot(*ONE_GONE, health=health), HOME, FIRST_LOOK)
    assert [(r.guard, r.held) for r in verdict.refusals] == [(guard, 1)]
    assert ([o.key for o in verdict.held], verdict.waiting) == ([GONE_KEY], ())


def test_an_empty_registry_is_reported_at_the_first_read() -> None:
    verdict = judge(snapshot(*(r for r in HOME if r.key.registry != "device")), HOME, FIRST_LOOK)
    assert [(r.guard, r.held) for r in verdict.refusals] == [("empty_source", 40)]


@pytest.mark.parametrize(
    ("left", "policy", "guard"),
    [(60, FIRST_LOOK, "delete_ratio"), (98, Policy(delete_count_max=2), "delete_count")],
)
def test_half_a_home_that_vanishes_in_one_read_is_reported_at_once(
    left: int, policy: Policy, guard: str
) -> None:
    verdict = judge(snapshot(*HOME[:left]), HOME, policy)
    assert [(r.guard, r.held) for r in verdict.refusals] == [(guard, 101 - left)]
    assert verdict.waiting == ()


def test_newly_missing_records_count_together_with_earlier_ones() -> None:
    missed_before = {r.key: NOON - 600 for r in HOME[81:]}
    assert len(judge(snapshot(*HOME[:81]), HOME, FIRST_LOOK, missed_before).allowed) == 20
    verdict = judge(snapshot(*HOME[:80]), HOME, FIRST_LOOK, missed_before)
    assert [(r.guard, r.held) for r in verdict.refusals] == [("delete_ratio", 21)]
    assert verdict.allowed == ()


def test_recovery_mode_changes_nothing() -> None:
    recovery = msgspec.structs.replace(RUNNING, recovery_mode=True)
    verdict = judge(snapshot(ENTRY, device(77), health=recovery), HOME)
    assert verdict.allowed == ()
    (refusal,) = verdict.refusals
    assert (refusal.guard, refusal.held) == ("recovery_mode", 101)
    assert "recovery mode" in refusal.message
    assert refusal.hint


def test_another_home_assistant_changes_nothing_until_it_is_accepted() -> None:
    other = snapshot(ConfigEntry(entry_id="other", domain="demo"), device(77), entity(77))
    refused = judge(other, HOME)
    assert refused.allowed == ()
    assert [r.guard for r in refused.refusals] == ["wrong_instance"]
    assert refused.refusals[0].hint.endswith("for one run (--allow-new-instance).")
    assert (len(refused.held), refused.waiting) == (3 + len(HOME), ())
    roomy = Policy(delete_confirm_seconds=0, allow_new_instance=True, delete_few_max=1000)
    accepted = judge(other, HOME, roomy)
    assert len(accepted.allowed) == 3 + len(HOME)


def test_a_source_without_any_config_entry_is_another_home() -> None:
    verdict = judge(snapshot(device(0), entity(0)), HOME)
    assert [r.guard for r in verdict.refusals] == ["wrong_instance"]
    assert verdict.refused_whole


def test_a_home_with_only_an_unusable_config_entry_is_identified_by_its_records() -> None:
    odd = SetAside("config_entry", "entry_id", "null", "its entry_id is null")
    home = make_snapshot(
        records=HOME[1:], taken_at=NOON, origin="test", registries=frozenset(REGISTRIES), set_aside=[odd]
    )
    assert home.home.entry_ids == {ENTRY.entry_id}
    assert judge(home, HOME).refusals == ()
    assert home.with_changes([], [HOME[-1].key], taken_at=NOON).home.entry_ids == {ENTRY.entry_id}


def test_a_refusal_of_everything_is_reported_where_nothing_differs() -> None:
    floors = frozenset({"floor"})
    other = snapshot(ConfigEntry(entry_id="other", domain="demo")).only(floors)
    verdict = judge(other, HOME)
    assert [(r.guard, r.held) for r in verdict.refusals] == [("wrong_instance", 0)]


def test_an_instance_is_recognised_when_only_entities_are_mirrored() -> None:
    part = snapshot(*ONE_GONE).only(frozenset({"entity"}))
    assert judge(part, HOME).refusals == ()


@pytest.mark.parametrize("registry", ["device", "entity"])
def test_a_registry_that_is_suddenly_empty_keeps_its_rows(registry: str) -> None:
    rest = [r for r in HOME if r.key.registry != registry]
    verdict = judge(snapshot(*rest), HOME)
    assert [r.guard for r in verdict.refusals] == ["empty_source"]
    assert "plan.allow_empty = true for one run (--allow-empty)" in verdict.refusals[0].hint
    assert verdict.allowed == ()


def test_an_empty_home_is_believed_on_a_signal() -> None:
    generous = Policy(delete_confirm_seconds=0, allow_empty=True, delete_few_max=1000)
    verdict = judge(snapshot(), HOME, generous)
    assert len(verdict.allowed) == len(HOME)


def test_a_large_share_is_refused_with_its_numbers_and_the_setting() -> None:
    verdict = judge(snapshot(*HOME[:60]), HOME)
    (refusal,) = verdict.refusals
    assert refusal.guard == "delete_ratio"
    assert refusal.message == "Plan deletes 41 of 101 records (41%)."
    assert "plan.delete_ratio_max (now 0.10)" in refusal.hint
    assert len(verdict.held) == 41


def test_a_share_just_as_large_as_allowed_is_not_too_large() -> None:
    many = [*HOME, *(device(number) for number in range(1000, 1109))]
    gone = many[-21:]
    assert len(many) == 10 * len(gone)
    assert {o.key for o in judge(snapshot(*many[:-21]), many).allowed} == {r.key for r in gone}
    assert judge(snapshot(*many[:-22]), many).allowed == ()


def test_a_large_count_is_refused_even_when_its_share_is_small() -> None:
    verdict = judge(snapshot(*HOME[:98]), HOME, Policy(delete_confirm_seconds=0, delete_count_max=2))
    assert [r.guard for r in verdict.refusals] == ["delete_count"]
    assert "plan.delete_count_max (now 2), or pass --max-delete 3" in verdict.refusals[0].hint
    as_many = judge(snapshot(*HOME[:99]), HOME, Policy(delete_confirm_seconds=0, delete_count_max=2))
    assert len(as_many.allowed) == 2


def test_a_few_deletes_are_never_a_large_share() -> None:
    small = [ENTRY, device(1), device(2), entity(1)]
    assert [o.key for o in judge(snapshot(*small[:2], entity(1)), small).allowed] == [device(2).key]


def test_an_entity_waits_for_the_row_whose_entity_id_it_takes_over() -> None:
    starting = msgspec.structs.replace(RUNNING, state="STARTING")
    heir = entity(99, entity_id="sensor.s59")
    verdict = judge(snapshot(*ONE_GONE, heir, health=starting), HOME)
    assert {o.key for o in verdict.held} == {GONE_KEY, heir.key}


def test_a_chain_of_renames_waits_as_a_whole_for_the_row_that_may_not_go() -> None:
    starting = msgspec.structs.replace(RUNNING, state="STARTING")
    # s58 takes the name of s59, which may not be deleted yet, and s57 the one that s58 cannot give up yet.
    renamed = [
        entity(58, entity_id="sensor.s59"),
        entity(57, entity_id="sensor.s58"),
        entity(56, entity_id="sensor.x"),
    ]
    home = [r for r in ONE_GONE if r.key not in {e.key for e in renamed}]
    verdict = judge(snapshot(*home, *renamed, health=starting), HOME)
    assert {o.key for o in verdict.held} == {GONE_KEY, renamed[0].key, renamed[1].key}
    assert {o.key for o in verdict.allowed} == {renamed[2].key}


def test_a_later_read_of_other_registries_confirms_no_absence() -> None:
    policy = Policy()
    first = snapshot(*ONE_GONE)
    look = partial(first.with_changes, [], [], taken_at=NOON + 600)
    for listed, waits in (({"device"}, True), ({"entity"}, False), (None, False)):
        later = look(listed=frozenset(listed) if listed is not None else None)
        verdict = judge(later, HOME, policy, {GONE_KEY: NOON})
        assert [o.key for o in verdict.waiting] == [GONE_KEY] * waits


def test_setting_the_clock_back_does_not_confirm_an_absence_or_delay_it_forever() -> None:
    known = snapshot(*HOME).home.hashes
    first = snapshot(*ONE_GONE, at=NOON + 3600)
    later = first.with_changes([], [], taken_at=NOON, listed=frozenset())
    assert judge(later, HOME, Policy(), {GONE_KEY: NOON - 300}).allowed == ()
    found = track_absences(snapshot(*ONE_GONE), known, {GONE_KEY: Look(NOON + 3600)}, Calendar())
    assert found == Absences(begun=frozenset({GONE_KEY}), returned=frozenset({GONE_KEY}))


def test_a_composite_split_is_no_mass_delete() -> None:
    composites = [device(n) for n in range(40)]
    parts = [device(100 + n) for n in range(40)]
    splits = {old.id: (new.id,) for old, new in zip(composites, parts, strict=True)}
    verdict = judge(snapshot(ENTRY, *parts, splits=splits), [ENTRY, *composites], Policy())
    assert [o.action for o in verdict.allowed] == [Action.MOVE] * 40
    assert verdict.refusals == ()


def test_a_composite_split_is_evidence_at_the_first_read() -> None:
    # Its parts are there already, so there is nothing left to move the row to.
    parts = [device(101), device(102)]
    splits = {device(1).id: tuple(part.id for part in parts)}
    verdict = judge(snapshot(ENTRY, *parts, splits=splits), [ENTRY, device(1), *parts], Policy())
    assert [(o.action, o.key) for o in verdict.allowed] == [(Action.DELETE, device(1).key)]
    assert (verdict.waiting, verdict.refusals) == ((), ())


@pytest.mark.parametrize("parts", [(), ("not listed",), (device(2).id, "not listed"), (device(1).id,)])
def test_a_split_into_devices_that_are_not_listed_is_an_absence(parts: tuple[str, ...]) -> None:
    desired = snapshot(ENTRY, device(2), splits={device(1).id: parts})
    verdict = judge(desired, [ENTRY, device(1), device(2)], Policy())
    assert [o.key for o in verdict.waiting] == [device(1).key]
    gone = range(30)
    lost = snapshot(*HOME[31:], ENTRY, splits={device(n).id: parts for n in gone})
    verdict = judge(lost, HOME, Policy(), {device(n).key: NOON - 60 for n in gone})
    assert [r.guard for r in verdict.refusals] == ["delete_ratio"]
    assert (verdict.allowed, len(verdict.held)) == ((), 30)


def test_a_corrupt_store_holds_even_what_home_assistant_reports_as_gone() -> None:
    parts = [device(101), device(102)]
    desired = snapshot(
        *[r for r in ONE_GONE if r.key != device(1).key],
        *parts,
        removed=[GONE_KEY],
        splits={device(1).id: tuple(part.id for part in parts)},
        health=msgspec.structs.replace(RUNNING, corrupt_stores=("core.device_registry",)),
    )
    verdict = judge(desired, [*HOME, *parts], Policy())
    assert ([r.guard for r in verdict.refusals], verdict.allowed) == (["storage_corruption"], ())
    assert {o.key for o in verdict.held} == {GONE_KEY, device(1).key}


def test_removals_that_home_assistant_reports_are_not_held_for_being_many() -> None:
    gone = [entity(n).key for n in range(40)]
    desired = snapshot(*[r for r in HOME if r.key not in gone], removed=gone)
    verdict = judge(desired, HOME, Policy())
    assert [o.key for o in verdict.allowed] == sorted(gone)


def test_registries_that_were_not_read_lose_nothing() -> None:
    part = snapshot(ENTRY, registries=["config_entry", "area"])
    assert judge(part, HOME).allowed == ()
    assert judge(part, HOME).refusals == ()


def test_absences_begin_only_with_a_read_that_could_have_deleted() -> None:
    known = snapshot(*HOME).home.hashes
    assert track_absences(snapshot(*ONE_GONE), known, {}, Calendar()) == Absences(begun=frozenset({GONE_KEY}))
    for health in (
        msgspec.structs.replace(RUNNING, state="STARTING"),
        msgspec.structs.replace(RUNNING, recovery_mode=True),
        msgspec.structs.replace(RUNNING, corrupt_stores=("x",)),
    ):
        assert track_absences(snapshot(*ONE_GONE, health=health), known, {}, Calendar()) == Absences()


def test_an_absence_ends_when_the_record_returns_and_is_moot_when_no_replica_has_it() -> None:
    known = snapshot(*HOME).home.hashes
    stranger = Key("entity", "never-ours")
    found = track_absences(snapshot(*HOME), known, {GONE_KEY: Look(1.0), stranger: Look(1.0)}, Calendar())
    assert found == Absences(returned=frozenset({GONE_KEY}), moot=frozenset({stranger}))


def test_every_registry_name_in_the_guards_exists() -> None:
    assert {"config_entry", "device", "entity"} <= set(REGISTRIES)
