"""The numbers of this process's claims on homes, with which readers recognise the latest owner's status. Pure."""

from typing import NamedTuple

from engine.claims import Claim
from engine.replicas.kafka.sites.known_sites import KnownSites
from engine.replicas.kafka.sites.site_status import AHEAD_MS


class _Number(NamedTuple):
    claim: Claim
    number: int


class ClaimNumbers:
    """A number for each claimed home, larger than every known number of another owner."""

    def __init__(self, owner: str, known: KnownSites) -> None:
        """`owner` is this process, `known` the statuses of other processes."""
        self._owner = owner
        self._known = known
        self._numbers: dict[str, _Number] = {}

    def __contains__(self, site: str) -> bool:
        return site in self._numbers

    def is_new(self, site: str, claim: Claim) -> bool:
        """Whether the claim on the home has no number yet."""
        return site not in self._numbers or self._numbers[site].claim is not claim

    def number(self, site: str, claim: Claim, now_ms: int) -> int:
        """The claim's number: its time, renewed once a day, or one more than the largest."""
        highest, holder = self._known.rank_of(site)
        if self.is_new(site, claim):
            number = max(now_ms, highest + 1)
        else:
            number = self._numbers[site].number
            if number < now_ms - AHEAD_MS:
                number = now_ms  # the clock was wrong; others trust their own
            if highest > number or (highest == number and holder != self._owner):
                # An earlier owner's clock was ahead, and its last status arrived late.
                number = highest + 1
        self._numbers[site] = _Number(claim, number)
        return number

    def end(self, claim: Claim) -> dict[str, int]:
        """End the claim; returns the numbers that it had, by home."""
        ended = {site: found.number for site, found in self._numbers.items() if found.claim is claim}
        for site in ended:
            del self._numbers[site]
        return ended
