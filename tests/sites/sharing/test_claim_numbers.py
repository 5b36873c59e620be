"""Numbers of claims: a later owner's is larger, regardless of the clocks."""

from engine.claims import LastingClaim
from engine.core.words import SyncStatus
from engine.replicas.kafka.sites.known_sites import KnownSites
from engine.replicas.kafka.sites.site_status import AHEAD_MS, SiteStatus
from engine.sites.sharing.claim_numbers import ClaimNumbers

CLAIM, LATER = LastingClaim("s1", "a@1"), LastingClaim("s1", "a@2")


def receive(known: KnownSites, owner: str, claim: int) -> None:
    known.note(
        SiteStatus(site="s1", owner=owner, claim=claim, stage="kept", status=SyncStatus.IN_SYNC, ts_ms=1)
    )


def test_a_claim_keeps_its_number_and_another_one_has_another() -> None:
    numbers = ClaimNumbers("a", KnownSites(1))
    assert numbers.is_new("s1", CLAIM)
    assert (numbers.number("s1", CLAIM, 10), numbers.number("s1", CLAIM, 20)) == (10, 10)
    assert not numbers.is_new("s1", CLAIM)
    assert numbers.is_new("s1", LATER)
    assert numbers.number("s1", LATER, 20) == 20
    assert numbers.end(CLAIM) == {}
    assert "s1" in numbers
    assert numbers.end(LATER) == {"s1": 20}
    assert "s1" not in numbers


def test_it_is_larger_than_any_received_before_and_later() -> None:
    known = KnownSites(1)
    numbers = ClaimNumbers("a", known)
    receive(known, "b", 100)
    assert numbers.number("s1", CLAIM, 10) == 101
    receive(known, "a", 101)  # its own status returns
    assert numbers.number("s1", CLAIM, 10) == 101
    receive(known, "b", 101)
    assert numbers.number("s1", CLAIM, 10) == 102
    receive(known, "b", 200)
    assert numbers.number("s1", CLAIM, 10) == 201


def test_one_made_by_a_clock_of_long_ago_is_replaced() -> None:
    """Others trust no claim from the future, so a process that started without a clock may have received none."""
    numbers = ClaimNumbers("a", KnownSites(1))
    assert numbers.number("s1", CLAIM, 10) == 10
    assert numbers.number("s1", CLAIM, 10 + AHEAD_MS) == 10
    assert numbers.number("s1", CLAIM, 11 + AHEAD_MS) == 11 + AHEAD_MS
