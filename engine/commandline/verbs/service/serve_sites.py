"""`reconcile serve` with `sites.directory`: many homes, until a signal."""

import logging
import os
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import given_settings, working_folder
from engine.commandline.text.log_lines import HomeLines, NamedHome
from engine.composition.mirror import Mirror
from engine.core.words import Mode
from engine.errors import EngineError
from engine.process.systemd import Notifier
from engine.settings.sections import LoadedSettings
from engine.sites.serving import Layers, SitesHost, serve_sites


def sites_work(
    arguments: Arguments, loaded: LoadedSettings, logger: logging.Logger, mode: Mode
) -> Callable[[anyio.Event], Awaitable[None]]:
    """The coroutine function that serves all homes until an event is set."""
    sites = loaded.settings.sites
    file = Path(arguments.config) if arguments.config else None
    given = Layers(given_settings(arguments), os.environ, file, working_folder())
    printed: dict[str, str] = {}  # by home, so that a persistent fault is printed once

    def on_ready(address: str) -> None:
        fields = {"sites": sites.directory, "shard": sites.shard, "api": address, "mode": mode}
        logger.info("serving", extra={"fields": fields})

    def lines(site: str, mirror: Mirror) -> HomeLines:
        printed.pop(site, None)
        return HomeLines(NamedHome(logger, {"site": site}), mirror.freshness)

    def on_failed(site: str, what: str, error: BaseException) -> None:
        if printed.get(site) == what:
            return
        printed[site] = what
        fields = {"site": site, "reason": what}
        if not isinstance(error, EngineError):
            fields["trace"] = "".join(traceback.format_exception(error))
        logger.warning("home is not kept", extra={"fields": fields})

    host = SitesHost(
        lines=lines,
        on_failed=on_failed,
        on_ready=on_ready,
        on_trouble=_warning(logger, "homes cannot be assigned to processes"),
        on_status_trouble=_warning(logger, "the status of homes cannot be exchanged"),
        notifier=Notifier(os.environ),
    )

    async def work(stop: anyio.Event) -> None:
        await serve_sites(loaded, given, host, mode=mode, stop=stop)

    return work


def _warning(logger: logging.Logger, message: str) -> Callable[[EngineError], None]:
    """A callback that logs an error under a constant message."""

    def warn(error: EngineError) -> None:
        logger.warning(message, extra={"fields": {"error": str(error)}})

    return warn
