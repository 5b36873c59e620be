"""Who may write a home. A process that keeps a home by itself holds it for as long as it runs."""

import os
import socket
from typing import Protocol


class Claim(Protocol):
    """One ownership of homes, for as long as it lasts. Another ownership of the same homes is another claim."""

    @property
    def owner(self) -> str:
        """Who holds it, `worker@claim`, for who looks at what was written."""

    def covers(self, site: str) -> bool:
        """Whether the home is among those that are owned."""

    def check(self) -> None:
        """Raises OwnershipLost, for ever once the claim was given up or taken."""


class LastingClaim:
    """A `Claim` on one home that nobody takes away."""

    def __init__(self, site: str, owner: str) -> None:
        self._site = site
        self._owner = owner

    @property
    def owner(self) -> str:
        """See `Claim`."""
        return self._owner

    def covers(self, site: str) -> bool:
        """See `Claim`."""
        return site == self._site

    def check(self) -> None:
        """It is never lost."""


def claim_alone(site: str) -> LastingClaim:
    """The claim of this process on a home that it keeps by itself."""
    return LastingClaim(site, f"{socket.gethostname()}@{os.getpid()}")
