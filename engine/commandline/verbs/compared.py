"""Compares with Home Assistant for `show` and `history`.

Uses the pass of `reconcile drift`. If it is impossible, every verdict is "not known now" with the reason.
"""

import time

from engine import __version__
from engine.commandline.arguments.arguments import Arguments
from engine.commandline.interruption import Interruption
from engine.commandline.lookup import Ambiguous
from engine.commandline.pass_status import status_of
from engine.commandline.verbs.run_pass import make_report
from engine.composition.run import pass_options
from engine.core.state.intervals import AGELESS
from engine.core.state.record_states import LABELS
from engine.core.state.record_verdict import Verdicts
from engine.core.state.status import ReplicaStatus, SourceStatus, Status
from engine.core.words import Mode, SyncStatus
from engine.errors import EngineError
from engine.settings.sections import LoadedSettings


def compared_now(arguments: Arguments, loaded: LoadedSettings, stop: Interruption) -> Verdicts:
    """The verdicts on all records, from a comparison that writes nothing."""
    return Verdicts(compare_now(arguments, loaded, stop), time.time(), AGELESS)


def compare_now(arguments: Arguments, loaded: LoadedSettings, stop: Interruption) -> Status:
    """The status after a comparison that writes nothing."""
    options = pass_options(loaded.settings, Mode.DRIFT, time.time())
    now = time.time()
    try:
        report = make_report(arguments, loaded, options, stop)
    except EngineError as error:
        return _not_compared(error, loaded, now)
    return status_of(report, now)


def distinguished(several: Ambiguous, verdicts: Verdicts) -> Ambiguous:
    """The error for several records of one name, with each one's verdict; those that are not real first."""
    states = {key: verdicts.of(key).state for key in several.keys}
    words = {key: LABELS[state].lower() for key, state in states.items()}
    several.distinguish(words, [key for key, state in states.items() if state != "real"])
    return several


def _not_compared(error: EngineError, loaded: LoadedSettings, now: float) -> Status:
    source = SourceStatus(loaded.settings.source.uri, connected=False, error=str(error))
    replica = ReplicaStatus("sqlite", SyncStatus.UNKNOWN, status_since=None)
    return Status(loaded.settings.site.name, __version__, now, source, (replica,))
