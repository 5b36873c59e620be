"""Composes the running engine of one home from its settings and its opened stores."""

import random
import time
from collections.abc import Callable
from functools import partial

import msgspec

from engine import __version__
from engine.composition.resources import Resources
from engine.composition.run import pass_options
from engine.composition.sources import open_followed_source
from engine.composition.stores import Clock, Stores
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.loop.informer import Informer
from engine.loop.passes.options import PassOptions
from engine.loop.replica_controller import ReplicaController
from engine.loop.service import Service
from engine.loop.source_memory import SourceMemory
from engine.pass_cache.file import PassCacheFile
from engine.pass_cache.ports import Recalling
from engine.ports import Source
from engine.process.clock import ProcessClock
from engine.settings.sections import LoadedSettings, Settings

# Stores behind a network.
_REMOTE = ("influxdb", "kafka")


def make_service(  # noqa: PLR0913 (by keyword)
    loaded: LoadedSettings,
    stores: Stores,
    *,
    mode: Mode,
    on_report: Callable[[Report], None],
    on_source: Callable[[str], None] = lambda _what: None,
    clock: Clock = time.time,
    resources: Resources = Resources(),  # noqa: B008 (immutable)
) -> Service:
    """The running engine of one home. `mode` is `apply` or `observe`."""
    settings = loaded.settings
    times = resources.times or ProcessClock(clock)
    draw = random.random
    controllers = [
        ReplicaController(
            replica=replica,
            ledger=stores.rows,
            intervals=settings.loop,
            make_options=partial(_options, settings, mode, clock),
            clock=times,
            draw=draw,
            calendar=times.calendar,
            offload=resources.remote if replica.name in _REMOTE else resources.files,
        )
        for replica in stores.replicas
    ]
    source = open_followed_source(loaded, times, stores, resources, times.calendar)
    memory = _memory_of(source, stores, resources) if mode == Mode.APPLY else None
    return Service(
        Informer(resources.wrap(source), settings.loop, draw, lambda *_: None, memory),
        controllers,
        site=settings.site.name,
        version=__version__,
        clock=times,
        calendar=times.calendar,
        on_report=on_report,
        on_source=on_source,
    )


def _memory_of(source: Source, stores: Stores, resources: Resources) -> SourceMemory | None:
    """What the source can start from, if it supports that."""
    if not isinstance(source, Recalling):
        return None
    return SourceMemory(
        PassCacheFile(stores.rows.path),
        source,
        stores.rows,
        resources.files,
        reread_seconds_max=resources.reread_seconds_max,
        on_kept=resources.on_kept,
        is_calm=resources.is_calm,
    )


def _options(settings: Settings, mode: Mode, clock: Clock, verify: bool) -> PassOptions:
    return msgspec.structs.replace(pass_options(settings, mode, clock()), verify=verify)
