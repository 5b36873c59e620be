"""`reconcile serve`: run until a signal, which is the ordinary end of a service and no failure."""

import os
import sys

import anyio

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import load
from engine.commandline.exit_codes import OK
from engine.commandline.interruption import Interruption
from engine.commandline.text.log_lines import HomeLines, set_up_logging
from engine.composition.serving import Host, serve
from engine.core.words import Mode
from engine.errors import SettingsError
from engine.process.garbage_collection import rare_garbage_collection
from engine.process.memory_trim import trim_memory
from engine.process.open_files import raise_file_limit
from engine.process.systemd import Notifier


def run_serve(arguments: Arguments, interruption: Interruption) -> int:
    """Serve until SIGTERM or SIGINT. Raises EngineError when it cannot begin."""
    loaded = load(arguments)
    settings = loaded.settings
    logger = set_up_logging(sys.stderr, format_=settings.log.format, level=settings.log.level)
    mode = Mode.OBSERVE if settings.plan.mode == "observe" else Mode.APPLY

    def on_ready(address: str) -> None:
        fields = {"source": settings.source.uri, "rows": settings.rows.file, "api": address, "mode": mode}
        logger.info("serving", extra={"fields": fields})

    def on_cut_off(_signal_number: int) -> None:
        logger.warning("stopped while a call did not return; the next start goes on where it was")

    async def work() -> None:
        stop = anyio.Event()
        interruption.on_signal(stop.set)
        if interruption.deadline is not None:
            interruption.deadline.farewell = on_cut_off
            interruption.deadline.exit_code = lambda _signal_number: OK
        if settings.sites.directory:
            from engine.commandline.verbs.service.serve_sites import sites_work

            await sites_work(arguments, loaded, logger, mode)(stop)
            return
        if settings.fleet.brokers:
            raise SettingsError(
                "fleet.brokers lets processes share the homes of a folder, and sites.directory names none.",
                "Set sites.directory; a single home is kept in Kafka with records.kafka_uri.",
            )
        host = Host(
            listener=HomeLines(logger, settings.loop.freshness),
            on_ready=on_ready,
            notifier=Notifier(os.environ),
        )
        await serve(loaded, mode=mode, host=host, stop=stop)

    raise_file_limit()
    trim_memory()
    with rare_garbage_collection():
        interruption.run(work)
    logger.info("stopped")
    return OK
