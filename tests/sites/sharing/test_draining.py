"""A process that is drained gives up its homes and takes none until that is undone, also after a restart."""

from pathlib import Path

import anyio
import pytest

from engine.claims import Claim, ClaimListener
from engine.sites.sharing import draining as module
from engine.sites.sharing.draining import DrainableOwnership, drain, drained_since, resume
from tests.api.serving import eventually
from tests.sites.sharing.test_status_exchange import NamedClaim

pytestmark = pytest.mark.anyio


class Group:
    """A group that gives one claim to who takes part, and takes it back when that ends if `ends` says so."""

    def __init__(self, *, ends: bool) -> None:
        self.members = 0
        self._ends = ends

    async def run(self, gained: ClaimListener, lost: ClaimListener) -> None:
        claim = NamedClaim("s1")
        self.members += 1
        await gained(claim)
        try:
            await anyio.sleep_forever()
        finally:
            self.members -= 1
            if self._ends:
                with anyio.CancelScope(shield=True):
                    await lost(claim)


@pytest.mark.parametrize("ends", [True, False])
async def test_homes_are_given_up_and_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, ends: bool
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.001)
    held: list[Claim] = []
    reported: list[bool] = []
    group = Group(ends=ends)

    async def gained(claim: Claim) -> None:
        held.append(claim)

    async def lost(claim: Claim) -> None:
        held.remove(claim)

    state = tmp_path / "state"
    ownership = DrainableOwnership(group, state, lambda since: reported.append(since is not None))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ownership.run, gained, lost)
        await eventually(lambda: len(held) == 1)
        assert drain(state)
        await eventually(lambda: (held, group.members) == ([], 0))
        assert ownership.since == drained_since(state)
        assert resume(state)
        await eventually(lambda: len(held) == 1)
        assert reported == [True, False]
        tasks.cancel_scope.cancel()


async def test_a_process_that_starts_drained_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.001)
    drain(tmp_path)
    group = Group(ends=True)

    async def never(_claim: Claim) -> None:
        raise AssertionError

    ownership = DrainableOwnership(group, tmp_path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ownership.run, never, never)
        await eventually(lambda: ownership.since is not None)
        assert group.members == 0
        tasks.cancel_scope.cancel()


def test_the_result_shows_if_anything_changed(tmp_path: Path) -> None:
    assert not resume(tmp_path)
    assert drained_since(tmp_path) is None
    assert drain(tmp_path)
    assert not drain(tmp_path)
    assert resume(tmp_path)
    assert drained_since(tmp_path / "none") is None
