"""Who may write a home. A process that keeps a home by itself holds it for as long as it runs.

Of many homes an `Ownership` says which ones a process keeps, as claims that begin and end.
"""

import os
from collections.abc import Callable, Coroutine
from typing import Any, Protocol


class Claim(Protocol):
    """One ownership of homes, for as long as it lasts. Another ownership of the same homes is another claim."""

    @property
    def owner(self) -> str:
        """Who holds it, `worker@claim`, for who looks at what was written."""

    @property
    def is_exclusive(self) -> bool:
        """Whether only the holder of the claim writes to the homes' topics, so that everything in them is ours."""

    def covers(self, site: str) -> bool:
        """Whether the home is among those that are owned."""

    def check(self) -> None:
        """Raises OwnershipLost, for ever once the claim was given up or taken."""


ClaimListener = Callable[[Claim], Coroutine[Any, Any, None]]


class Ownership(Protocol):
    """Which homes a process keeps."""

    async def run(self, gained: ClaimListener, lost: ClaimListener) -> None:
        """Report each claim that begins, and each that ends, until cancelled.

        A claim that ends is closed first: from then on its `check` raises. `lost` is awaited before another process can
        have the claim's homes, unless they were taken away already. Claims that are held when it is cancelled end
        with the process; `lost` may be awaited for them or not.
        """


class LastingClaim:
    """A `Claim` on one home that lasts."""

    def __init__(self, site: str, owner: str) -> None:
        self._site = site
        self._owner = owner

    @property
    def owner(self) -> str:
        """See `Claim`."""
        return self._owner

    @property
    def is_exclusive(self) -> bool:
        """No: another process may be set to keep the same home."""
        return False

    def covers(self, site: str) -> bool:
        """See `Claim`."""
        return site == self._site

    def check(self) -> None:
        """It is never lost."""


def claim_alone(site: str) -> LastingClaim:
    """The claim of this process on a home that it keeps by itself."""
    return LastingClaim(site, owner_alone())


def owner_alone() -> str:
    """The holder of a claim that lasts as long as this process."""
    return f"{os.uname().nodename}@{os.getpid()}"
