"""Drains a process: it gives up its homes until it is resumed, so that others take over before maintenance of its machine.

A file in the state folder marks a drained process. The command and the service agree through that file, as for paused homes;
it survives a restart, and a user who may only write to Kafka cannot stop a process.
"""

from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread

from engine.claims import Claim, ClaimListener, Ownership
from engine.files.marker import put_marker, remove_marker

_MARKER = ".drained"  # no home can have this name
_LOOK_SECONDS = 2.0


def drained_since(state: Path) -> float | None:
    """The time since which the process with this state folder has been drained, Unix seconds; None if it is not."""
    try:
        return (state / _MARKER).stat().st_mtime
    except OSError:
        return None


def drain(state: Path) -> bool:
    """Drain the process; False if it was already drained. Raises OSError."""
    if drained_since(state) is not None:
        return False
    put_marker(state / _MARKER, "To keep homes again, remove this file or run `reconcile fleet resume`.\n")
    return True


def resume(state: Path) -> bool:
    """Let the process keep homes again; False if it was not drained. Raises OSError."""
    return remove_marker(state / _MARKER)


class DrainableOwnership:
    """An `Ownership` that gives up all homes in an orderly way while the process is drained."""

    def __init__(
        self, inner: Ownership, state: Path, on_drained: Callable[[float | None], None] = lambda _since: None
    ) -> None:
        """`on_drained` receives the time of draining, Unix seconds, and None when the process is resumed."""
        self._inner = inner
        self._state = state
        self._on_drained = on_drained
        self.since: float | None = None

    async def run(self, gained: ClaimListener, lost: ClaimListener) -> None:
        """See `Ownership`."""
        while True:
            if not await self._is_drained():
                await self._own_homes(gained, lost)
            await anyio.sleep(_LOOK_SECONDS)

    async def _own_homes(self, gained: ClaimListener, lost: ClaimListener) -> None:
        """Own homes until drained. Returns when all of them have been given up."""
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
        for claim in tuple(held):  # for an ownership that does not end its claims itself
            await lose(claim)

    async def _is_drained(self) -> bool:
        since = await anyio.to_thread.run_sync(drained_since, self._state)
        if since != self.since:
            self.since = since
            self._on_drained(since)
        return since is not None
