"""`reconcile fleet view`: serve a view of all homes of a fleet, read from its topics, until a signal."""

import os
import sys
from pathlib import Path

import anyio

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import working_folder
from engine.commandline.interruption import Interruption
from engine.commandline.text.log_lines import set_up_logging
from engine.commandline.verbs.service.until_signal import serve_until_signal
from engine.errors import ReplicaError
from engine.fleet_view.serving import ViewHost, serve_view
from engine.process.systemd import Notifier
from engine.settings.layers import merge_layers, settings_layers, with_secrets


def run_fleet_view(arguments: Arguments, interruption: Interruption) -> int:
    """Serve until SIGTERM or SIGINT. Raises EngineError when it cannot begin."""
    file = Path(arguments.config) if arguments.config else None
    layers = settings_layers({}, os.environ, file, working_folder())
    settings, origins = merge_layers(layers, os.environ)
    loaded = with_secrets(settings, origins, os.environ)
    logger = set_up_logging(sys.stderr, format_=settings.log.format, level=settings.log.level)

    def on_ready(address: str) -> None:
        fields = {"fleet": settings.fleet.prefix, "file": settings.fleet.view_file, "api": address}
        logger.info("serving", extra={"fields": fields})

    def on_trouble(error: ReplicaError) -> None:
        logger.warning("the view does not follow Kafka", extra={"fields": {"error": str(error)}})

    async def work(stop: anyio.Event) -> None:
        host = ViewHost(on_ready=on_ready, on_trouble=on_trouble, notifier=Notifier(os.environ))
        await serve_view(loaded, host, stop=stop)

    return serve_until_signal(work, interruption, logger)
