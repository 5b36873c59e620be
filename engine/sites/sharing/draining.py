"""A process that gives up its homes until this is undone, so that others take over before its machine is worked on.

A file in the folder of its state says so: the command and the service agree through it as they do about paused homes,
it lasts over a restart, and nobody who may only write to Kafka can stop a process.
"""

from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread

from engine.claims import Claim, ClaimListener, Ownership
from engine.files.modes import OWNER_ONLY, make_folder, write_whole

_MARKER = ".drained"  # no home can be called so
_LOOK_SECONDS = 2.0


def drained_since(state: Path) -> float | None:
    """Since when the process with this folder of state is drained, Unix seconds; None while it is not."""
    try:
        return (state / _MARKER).stat().st_mtime
    except OSError:
        return None


def drain(state: Path) -> bool:
    """Drain the process; False when it was drained already. Raises OSError."""
    if drained_since(state) is not None:
        return False
    make_folder(state)
    write_whole(
        state / _MARKER,
        b"Remove this file, or run `reconcile fleet resume`, to keep homes again.\n",
        OWNER_ONLY,
    )
    return True


def resume(state: Path) -> bool:
    """Let the process keep homes again; False when it was not drained. Raises OSError."""
    try:
        (state / _MARKER).unlink()
    except FileNotFoundError:
        return False
    return True


class DrainableOwnership:
    """An `Ownership` that leaves, in an orderly way, for as long as the process is drained."""

    def __init__(
        self, inner: Ownership, state: Path, on_drained: Callable[[float | None], None] = lambda _since: None
    ) -> None:
        """`on_drained` receives since when it is drained, Unix seconds, and None when it no longer is."""
        self._inner = inner
        self._state = state
        self._on_drained = on_drained
        self.since: float | None = None

    async def run(self, gained: ClaimListener, lost: ClaimListener) -> None:
        """See `Ownership`."""
        while True:
            if not await self._is_drained():
                await self._take_part(gained, lost)
            await anyio.sleep(_LOOK_SECONDS)

    async def _take_part(self, gained: ClaimListener, lost: ClaimListener) -> None:
        """Share in the homes until drained. Returns when all of them are given up."""
        held: list[Claim] = []

        async def gain(claim: Claim) -> None:
            held.append(claim)
            await gained(claim)

        async def lose(claim: Claim) -> None:
            if claim in held:
                held.remove(claim)
                await lost(claim)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._inner.run, gain, lose)
            while not await self._is_drained():  # noqa: ASYNC110 (a file has no event)
                await anyio.sleep(_LOOK_SECONDS)
            tasks.cancel_scope.cancel()
        for claim in tuple(held):  # of an ownership that does not end its claims itself
            await lose(claim)

    async def _is_drained(self) -> bool:
        since = await anyio.to_thread.run_sync(drained_since, self._state)
        if since != self.since:
            self.since = since
            self._on_drained(since)
        return since is not None
