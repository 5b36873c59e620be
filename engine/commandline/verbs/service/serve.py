"""`reconcile serve`: keep one home, or many, until a signal."""

import os
import sys

import anyio

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import load
from engine.commandline.interruption import Interruption
from engine.commandline.text.log_lines import HomeLines, set_up_logging
from engine.commandline.verbs.service.until_signal import serve_until_signal
from engine.composition.serving import Host, serve
from engine.core.words import Mode
from engine.errors import SettingsError
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

    async def work(stop: anyio.Event) -> None:
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
    return serve_until_signal(work, interruption, logger)
