"""The guard for unread registries: what it holds, what it allows, and its message."""

import msgspec

from engine.core.compare.diff import compare
from engine.core.compare.plan import make_plan
from engine.core.compare.stored import StoredRow
from engine.core.guards.absences import track_absences
from engine.core.guards.guard import Policy, Refusal, Verdict, review
from engine.core.guards.instance import KnownHomes, entries_among
from engine.core.guards.look import Calendar
from engine.core.home.snapshot import Snapshot
from engine.core.home.unread import Unread
from engine.core.records.record import Area, Category, Key, Label, Record
from engine.core.records.record_json import canonical_fields
from engine.core.records.registries import REGISTRIES
from tests.homes import ENTRY, device, entity, snapshot

LABEL = Label(label_id="l", name="L")
CATEGORY = Category(category_id="c", scope="mine", name="C")
HOME: list[Record] = [ENTRY, LABEL, CATEGORY, device(1), entity(1, device_id=device(1).id)]


def read_without(*missing: str, records: list[Record], scopes: frozenset[str] | None = None) -> Snapshot:
    """A read of these records that left out some registries."""
    kept = [r for r in records if r.REGISTRY not in missing]
    found = snapshot(*kept, registries=frozenset(REGISTRIES) - set(missing))
    return found.read_as(unread=Unread({name: f"{name} is missing" for name in missing}, scopes))


def judge(desired: Snapshot, known: list[Record]) -> Verdict:
    have = snapshot(*known)
    versions, held = desired.home.row_versions, have.home.row_versions
    rows = {key: StoredRow(key, canonical_fields(r)) for key, r in have.home.records.items()}
    diff = compare(versions, held, held, desired.reading.registries)
    plan = make_plan("sqlite", diff, desired, rows, with_derived=True, prune_foreign=False)
    policy = Policy(delete_confirm_seconds=0)
    return review(
        plan,
        desired,
        applied=held,
        homes=KnownHomes(held=entries_among(held)),
        observed_count=len(held),
        absences={},
        policy=policy,
    )


def guards(verdict: Verdict) -> list[tuple[str, int]]:
    return [(refusal.guard, refusal.held) for refusal in verdict.refusals]


def test_an_unread_registry_with_known_records_is_reported_even_without_differences() -> None:
    verdict = judge(read_without("label", records=HOME), HOME)
    assert guards(verdict) == [("registry_unread", 0)]
    (refusal,) = verdict.refusals
    assert "label is missing, of which 1 record is known" in refusal.message
    assert isinstance(refusal, Refusal)
    assert "--allow-empty" in refusal.hint


def test_a_home_that_never_had_a_registry_misses_nothing() -> None:
    known = [r for r in HOME if r is not LABEL]
    assert judge(read_without("label", records=HOME), known).refusals == ()


def test_everything_else_is_written() -> None:
    area = Area(area_id="a", name="A")
    verdict = judge(read_without("label", records=[*HOME, area]), HOME)
    assert [o.key for o in verdict.allowed] == [area.key]


def test_without_the_devices_entities_keep_the_values_derived_from_them() -> None:
    renamed = [ENTRY, LABEL, CATEGORY, entity(1, device_id=device(1).id, name="New")]
    verdict = judge(read_without("device", records=renamed), HOME)
    assert guards(verdict) == [("registry_unread", 1)]
    assert [o.key for o in verdict.held] == [entity(1).key]
    assert verdict.allowed == ()


def test_without_the_config_entries_a_home_is_identified_by_their_records() -> None:
    verdict = judge(read_without("config_entry", records=HOME), HOME)
    assert guards(verdict) == [("registry_unread", 1)]  # the device, whose integration is its entry's
    assert [o.key for o in verdict.held] == [device(1).key]


def test_categories_of_an_unrequested_scope_are_not_missing() -> None:
    others = [r for r in HOME if r is not CATEGORY]
    read = read_without(records=others, scopes=frozenset({"script"}))
    assert guards(judge(read, HOME)) == [("registry_unread", 1)]
    assert not read.is_missing(CATEGORY.key)
    assert track_absences(read, snapshot(*HOME).home.hashes, {}, Calendar()).begun == frozenset()
    asked = read_without(records=others, scopes=frozenset({"script", "mine"}))
    assert [o.key for o in judge(asked, HOME).allowed] == [CATEGORY.key]


def test_all_that_was_not_read_is_named_and_how_much_of_it_is_known() -> None:
    odd = Category(category_id="a/b", scope="odd", name="Odd")
    read = read_without("device", "label", records=HOME[:3], scopes=frozenset({"script"}))
    verdict = judge(read, [*HOME, device(2), odd])
    (refusal,) = (each for each in verdict.refusals if each.guard == "registry_unread")
    assert refusal.message == (
        "Not all that is known was read from test: label is missing, of which 1 record is known; "
        "device is missing, of which 2 records are known; categories of the scope 'odd' were not requested. "
        "It stays as it is."
    )
    assert refusal.hint == (
        "Restore what is missing and run again. If the home really has none of it any more, set "
        "plan.allow_empty = true for one run (--allow-empty)."
    )


def test_a_registry_declared_empty_by_the_user_counts_as_empty() -> None:
    read = read_without("label", records=HOME).with_unread_as_empty()
    verdict = judge(read, HOME)
    assert (verdict.refusals, [o.key for o in verdict.allowed]) == ((), [LABEL.key])


def test_unrequested_registries_are_not_mentioned() -> None:
    read = read_without("label", records=HOME).only(frozenset({"device", "entity", "config_entry"}))
    assert judge(read, HOME).refusals == ()
    assert read.home.entry_ids == {ENTRY.entry_id}


def test_state_that_cannot_be_read_holds_deletes_and_nothing_else() -> None:
    read = snapshot(ENTRY, device(1), device(2))
    health = msgspec.structs.replace(read.reading.health, unread=("repairs.issue_registry is not JSON",))
    read = read.read_as(health=health)
    known: list[Record] = [ENTRY, device(1), entity(1)]
    verdict = judge(read, known)
    assert guards(verdict) == [("health_unread", 1)]
    assert "repairs.issue_registry is not JSON" in verdict.refusals[0].message
    assert Key("device", device(2).id) in {o.key for o in verdict.allowed}


def test_values_independent_of_the_unread_registry_are_written() -> None:
    renamed = device(1, name="New")
    rest = [renamed if record.key == renamed.key else record for record in HOME]
    verdict = judge(read_without("label", records=rest), HOME)
    assert {o.key for o in verdict.allowed} == {renamed.key, entity(1).key}
    assert (verdict.held, guards(verdict)) == ((), [("registry_unread", 0)])


def test_an_areas_position_needs_no_other_registry() -> None:
    attic, hall = Area(area_id="attic", name="Attic"), Area(area_id="hall", name="Hall")
    rest = [record for record in HOME if record is not LABEL]
    placed = snapshot(
        attic,
        hall,
        *rest,
        registries=frozenset(REGISTRIES) - {"label"},
        positions={attic.key: 1, hall.key: 0},
    )
    read = placed.read_as(unread=Unread({"label": "label is missing"}))
    assert {o.key for o in judge(read, [attic, hall, *HOME]).allowed} == {attic.key, hall.key}
