"""The text of a refusal: the guard, the numbers, the next step, and the held records."""

from typing import Any

import msgspec

from engine.core.guards.allowed import name_of_deletes
from engine.core.guards.guard import Policy, Refusal, Verdict
from engine.core.home.reading import SourceHealth
from engine.core.home.snapshot import Snapshot
from engine.core.home.unread import Unread
from engine.core.records.record import Category, ConfigEntry, Label, Record
from engine.core.words import GuardName
from tests.core.guards.test_doubt import HOME as DERIVING
from tests.core.guards.test_doubt import KITCHEN, LAMP, LONELY
from tests.core.guards.test_doubt import judge as judge_derived
from tests.core.guards.test_guard import AT_ONCE, HOME, judge
from tests.homes import ENTRY, NOON, RUNNING, device, snapshot


def refusal_of(desired: Snapshot, policy: Policy = AT_ONCE, stored: list[Record] = HOME) -> Refusal:
    (refusal,) = judge(desired, stored, policy).refusals
    return refusal


def named(*gone: Record) -> str:
    return name_of_deletes([record.key for record in gone], NOON)


def test_recovery_mode() -> None:
    recovery = msgspec.structs.replace(RUNNING, recovery_mode=True)
    assert refusal_of(snapshot(ENTRY, device(77), health=recovery)) == Refusal(
        GuardName.RECOVERY_MODE,
        "Home Assistant 2026.11.0 is in recovery mode and shows 2 records; what it shows is not the home.",
        "Nothing was changed. Repair Home Assistant's configuration and let it start normally.",
        held=101,
    )


def test_another_instance() -> None:
    other = snapshot(ConfigEntry(entry_id="other", domain="demo"))
    assert refusal_of(other) == Refusal(
        GuardName.WRONG_INSTANCE,
        "test has 1 config entry and is not the home of this store: of the 1 config entry known so far, some store "
        "knows none of these. It is another Home Assistant, or a backup from before they were set up.",
        "Nothing was changed. Check source.uri; to mirror this instance from now on, set plan.allow_new_instance = true for "
        "one run (--allow-new-instance).",
        held=102,
    )


def test_another_instance_with_several_config_entries() -> None:
    others = [ConfigEntry(entry_id=id_, domain="demo") for id_ in ("other", "second")]
    message = refusal_of(snapshot(*others)).message
    assert message.startswith(
        "test has 2 config entries and is not the home of this store: of the 1 config entry"
    )


def test_an_empty_registry() -> None:
    devices = [record for record in HOME if record.key.registry == "device"]
    assert refusal_of(snapshot(*(record for record in HOME if record not in devices))) == Refusal(
        GuardName.EMPTY_SOURCE,
        "Home Assistant lists no device at all; 40 are known.",
        "If the home really is empty, set plan.allow_empty = true for one run (--allow-empty).",
        held=40,
        name=named(*devices),
    )


def test_a_large_share() -> None:
    assert refusal_of(snapshot(*HOME[:60])) == Refusal(
        GuardName.DELETE_RATIO,
        "Plan deletes 41 of 101 records (41%).",
        "To allow this, raise plan.delete_ratio_max (now 0.10), or pass --max-delete 41.",
        held=41,
        command="reconcile --max-delete 41",
        name=named(*HOME[60:]),
    )


def test_a_large_count() -> None:
    assert refusal_of(snapshot(*HOME[:98]), Policy(delete_confirm_seconds=0, delete_count_max=2)) == Refusal(
        GuardName.DELETE_COUNT,
        "Plan deletes 3 of 101 records (3%).",
        "To allow this, raise plan.delete_count_max (now 2), or pass --max-delete 3.",
        held=3,
        command="reconcile --max-delete 3",
        name=named(*HOME[98:]),
    )


def test_all_of_very_little() -> None:
    label, policy = Label(label_id="l", name="L"), Policy(delete_confirm_seconds=0, delete_few_max=0)
    refusal = refusal_of(snapshot(registries={"label"}), policy, [label])
    assert refusal.message == "Plan deletes 1 of 1 records (100%)."
    assert judge(snapshot(registries={"label"}), [label]).refusals == (), "one is few"


def test_unread_records_are_reported_after_deletes_and_counted_separately() -> None:
    category, other = (Category(category_id="c", scope=scope, name="C") for scope in ("automation", "script"))
    read = snapshot(*HOME[:20], registries={"config_entry", "device", "category"}).read_as(
        unread=Unread({"entity": "entity is missing"}, frozenset({"script"}))
    )
    verdict = judge(read, [*HOME, category, other])
    deletes, unread = verdict.refusals
    assert (deletes.guard, deletes.held) == (GuardName.DELETE_RATIO, 22), "other is one of them"
    assert (unread.guard, unread.held) == (GuardName.REGISTRY_UNREAD, 1)
    assert "entity is missing, of which 60 records are known" in unread.message
    assert unread.hint
    assert (unread.command, unread.name) == (None, None)
    assert {o.key for o in verdict.held} == {category.key, other.key, *(record.key for record in HOME[20:41])}


def test_unread_records_are_not_deleted_or_counted_as_deletes() -> None:
    category = Category(category_id="c", scope="automation", name="C")
    read = snapshot(*HOME[:-1]).read_as(unread=Unread(scopes=frozenset({"script"})))
    verdict = judge(read, [*HOME, category], Policy(delete_confirm_seconds=0, delete_count_max=1))
    assert [o.key for o in verdict.allowed] == [HOME[-1].key]
    assert ([o.key for o in verdict.held], verdict.waiting) == ([category.key], ())
    assert [(r.guard, r.held) for r in verdict.refusals] == [(GuardName.REGISTRY_UNREAD, 1)]


def test_only_deletes_that_can_be_allowed_have_a_name() -> None:
    starting = msgspec.structs.replace(RUNNING, state="STARTING")
    assert refusal_of(snapshot(*HOME[:60], health=starting)).name is None
    devices = [record for record in HOME if record.key.registry == "device"]
    rest = [record for record in HOME if record not in devices]
    removed = snapshot(*rest, removed=[device.key for device in devices])
    assert refusal_of(removed).name is None, "Home Assistant itself says that they are gone"


def test_a_name_that_was_given_allows_these_deletes() -> None:
    policy = Policy(delete_confirm_seconds=0, allow_deletes=(named(*HOME[60:]),))
    verdict = judge(snapshot(*HOME[:60]), HOME, policy)
    assert ({o.key for o in verdict.allowed}, verdict.refusals) == ({r.key for r in HOME[60:]}, ())
    assert judge(snapshot(*HOME[:61]), HOME, policy).allowed == ()


def derived_held(*rest: Record, health: SourceHealth = RUNNING, **given: Any) -> Verdict:
    return judge_derived(snapshot(*rest, health=health), *DERIVING, **given)


def test_dependants_of_a_missing_record_are_held_by_the_guard_that_doubts_the_read() -> None:
    starting = msgspec.structs.replace(RUNNING, state="STARTING")
    without = [record for record in DERIVING if record is not LAMP]
    for booked, count in ((True, 2), (False, 1)):
        verdict = derived_held(*without, health=starting, are_booked=booked)
        assert KITCHEN.key in {o.key for o in verdict.held}, "its number of entities"
        assert [(r.guard, r.held) for r in verdict.refusals] == [(GuardName.NOT_RUNNING, count)]
    # Without a ledger a row of ours looks foreign; otherwise what is not ours takes nothing with it.
    unbooked = derived_held(*without, are_booked=False, has_ledger=False)
    assert ({o.key for o in unbooked.held}, unbooked.refusals) == ({KITCHEN.key}, ())
    assert derived_held(*without, are_booked=False).held == ()


def test_a_doubtful_read_that_holds_nothing_is_not_reported() -> None:
    starting = msgspec.structs.replace(RUNNING, state="STARTING")
    lonely = msgspec.structs.replace(LONELY, icon="mdi:lamp")
    verdict = derived_held(*(r for r in DERIVING if r is not LONELY), lonely, health=starting)
    assert ([o.key for o in verdict.allowed], verdict.held, verdict.refusals) == ([LONELY.key], (), ())
