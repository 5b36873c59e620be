"""Fixed shares of the homes: each home is of one, always the same."""

import anyio
import pytest

from engine.claims import Claim, owner_alone
from engine.errors import SettingsError
from engine.sites.shards import StaticShard, is_of_shard, parse_shard


def test_each_home_is_of_one_shard() -> None:
    names = {f"home{number}" for number in range(40)}
    claims = [StaticShard(f"{number}/3").claim for number in (1, 2, 3)]
    shards = [{name for name in names if claim.covers(name)} for claim in claims]
    assert sum(map(len, shards)) == len(set().union(*shards)) == 40
    assert min(map(len, shards)) > 5
    assert is_of_shard("any", (1, 1))


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "x/y", "1/0"])
def test_an_invalid_shard_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"sites\.shard"):
        parse_shard(text)


@pytest.mark.anyio
async def test_a_share_is_given_once_and_lasts() -> None:
    found: list[Claim] = []

    async def gained(claim: Claim) -> None:
        found.append(claim)

    async def lost(_claim: Claim) -> None:
        raise AssertionError

    with anyio.move_on_after(0.05):
        await StaticShard("1/1").run(gained, lost)
    (claim,) = found
    claim.check()
    assert claim.owner == owner_alone()
    assert not claim.is_exclusive
