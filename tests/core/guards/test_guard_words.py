"""What a refusal says to a person: the guard, the numbers, and what would change it."""

import msgspec

from engine.core.guards.allowed import name_of_deletes
from engine.core.guards.guard import Policy, Refusal
from engine.core.home.snapshot import Snapshot
from engine.core.home.unread import Unread
from engine.core.records.record import ConfigEntry, Record
from engine.core.words import GuardName
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
        "test has 1 config entries and is not the home of this store: of the 1 config entries that are known, some store "
        "knows none of these. It is another Home Assistant, or a backup from before they were set up.",
        "Nothing was changed. Check source.uri; to mirror this instance from now on, set plan.allow_new_instance = true for "
        "one run (--allow-new-instance).",
        held=102,
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


def test_what_was_not_read_is_said_after_what_is_deleted_and_counts_for_itself() -> None:
    labels = frozenset({"config_entry", "device"})
    read = snapshot(*HOME[:20], registries=labels).read_as(unread=Unread({"entity": "entity is missing"}))
    deletes, unread = judge(read, HOME).refusals
    assert (deletes.guard, deletes.held) == (GuardName.DELETE_RATIO, 21)
    assert (unread.guard, unread.held) == (GuardName.REGISTRY_UNREAD, 0)
    assert "entity is missing, of which 60 records are known" in unread.message
    assert unread.hint
    assert (unread.command, unread.name) == (None, None)
