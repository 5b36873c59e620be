"""`reconcile fleet view`: serve one answer over all homes of a fleet, read from its topics, until a signal."""

import os
import sys
from pathlib import Path

import anyio

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import working_folder
from engine.commandline.exit_codes import OK
from engine.commandline.interruption import Interruption
from engine.commandline.text.log_lines import set_up_logging
from engine.errors import ReplicaError
from engine.fleet_view.serving import ViewHost, serve_view
from engine.process.garbage_collection import rare_garbage_collection
from engine.process.memory_trim import trim_memory
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

    def on_cut_off(_signal_number: int) -> None:
        logger.warning("stopped while a call did not return; the next start goes on where it was")

    async def work() -> None:
        stop = anyio.Event()
        interruption.on_signal(stop.set)
        if interruption.deadline is not None:
            interruption.deadline.farewell = on_cut_off
            interruption.deadline.exit_code = lambda _signal_number: OK
        host = ViewHost(on_ready=on_ready, on_trouble=on_trouble, notifier=Notifier(os.environ))
        await serve_view(loaded, host, stop=stop)

    trim_memory()
    with rare_garbage_collection():
        interruption.run(work)
    logger.info("stopped")
    return OK
