"""A fixed share of the homes: `--shard I/N` splits them among N processes, none of which takes over from another."""

from hashlib import blake2b

import anyio

from engine.claims import ClaimListener, owner_alone
from engine.errors import SettingsError


class StaticShard:
    """The `Ownership` of one share, for as long as the process runs."""

    def __init__(self, text: str) -> None:
        """`text` is I/N. Raises SettingsError."""
        self.claim = ShardClaim(parse_shard(text), owner_alone())

    async def run(self, gained: ClaimListener, lost: ClaimListener) -> None:
        """See `Ownership`. The share is never lost."""
        await gained(self.claim)
        await anyio.sleep_forever()


class ShardClaim:
    """The `Claim` on a share."""

    def __init__(self, shard: tuple[int, int], owner: str) -> None:
        self._shard = shard
        self._owner = owner

    @property
    def owner(self) -> str:
        """See `Claim`."""
        return self._owner

    @property
    def is_exclusive(self) -> bool:
        """No: two processes may be given the same share."""
        return False

    def covers(self, site: str) -> bool:
        """See `Claim`."""
        return is_of_shard(site, self._shard)

    def check(self) -> None:
        """It is never lost."""


def parse_shard(text: str) -> tuple[int, int]:
    """I and N of `I/N`. Raises SettingsError."""
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise SettingsError(
            f"The shard {text} (sites.shard, --shard) is not of the form I/N.",
            "Write I/N, from 1/N to N/N; 1/1 is all homes.",
        )
    return int(number), int(count)


def is_of_shard(name: str, shard: tuple[int, int]) -> bool:
    """Whether a home belongs to a shard. A home's shard does not depend on the other homes."""
    number, count = shard
    digest = blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % count == number - 1
