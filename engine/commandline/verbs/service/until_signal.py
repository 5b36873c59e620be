"""Serves until a signal, which is the normal end of a service, not a failure."""

import logging
from collections.abc import Awaitable, Callable

import anyio

from engine.commandline.exit_codes import OK
from engine.commandline.interruption import Interruption
from engine.process.garbage_collection import rare_garbage_collection
from engine.process.memory_trim import trim_memory


def serve_until_signal(
    serve: Callable[[anyio.Event], Awaitable[None]], interruption: Interruption, logger: logging.Logger
) -> int:
    """Run `serve` and set its event on SIGTERM or SIGINT; returns the exit code. Raises what `serve` raises."""

    def on_cut_off(_signal_number: int) -> None:
        logger.warning("stopped while a call did not return; the next start continues from there")

    async def work() -> None:
        stop = anyio.Event()
        interruption.on_signal(stop.set)
        if interruption.deadline is not None:
            interruption.deadline.farewell = on_cut_off
            interruption.deadline.exit_code = lambda _signal_number: OK
        await serve(stop)

    trim_memory()
    with rare_garbage_collection():
        interruption.run(work)
    logger.info("stopped")
    return OK
