"""Claims on homes: which process may write a home. A process with a single home holds its claim for as long as it runs.

With many homes, an `Ownership` decides which ones a process keeps, as claims that begin and end.
"""

import os
from collections.abc import Callable, Coroutine
from typing import Any, Protocol


class Claim(Protocol):
    """One ownership of homes, for as long as it lasts. Another ownership of the same homes is another claim."""

    @property
    def owner(self) -> str:
        """The holder, `worker@claim`, as readers of the written data see it."""

    @property
    def is_exclusive(self) -> bool:
        """Whether only the claim's holder writes to the homes' topics, so that everything in them is ours."""

    def covers(self, site: str) -> bool:
        """Whether the claim includes the home."""

    def check(self) -> None:
        """Raises OwnershipLost, permanently, once the claim was given up or taken."""


ClaimListener = Callable[[Claim], Coroutine[Any, Any, None]]


class Ownership(Protocol):
    """Decides which homes a process keeps."""

    async def run(self, gained: ClaimListener, lost: ClaimListener) -> None:
        """Report each claim that begins, and each that ends, until cancelled.

        A claim that ends is closed first: from then on its `check` raises. `lost` is awaited before another process can
        get the claim's homes, unless it already has them. Claims held at cancellation end with the process, and `lost` may
        or may not be awaited for them.
        """


class LastingClaim:
    """A permanent `Claim` on one home."""

    def __init__(self, site: str, owner: str) -> None:
        self._site = site
        self._owner = owner

    @property
    def owner(self) -> str:
        """See `Claim`."""
        return self._owner

    @property
    def is_exclusive(self) -> bool:
        """False: another process may be configured to keep the same home."""
        return False

    def covers(self, site: str) -> bool:
        """See `Claim`."""
        return site == self._site

    def check(self) -> None:
        """It is never lost."""


def claim_alone(site: str) -> LastingClaim:
    """The claim of this process on the only home that it keeps."""
    return LastingClaim(site, owner_alone())


def owner_alone() -> str:
    """The holder's name for a claim that lasts as long as this process."""
    return f"{os.uname().nodename}@{os.getpid()}"
