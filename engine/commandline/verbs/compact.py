"""`reconcile history compact`: apply the settings' retention to the history file now."""

import time
from pathlib import Path

import msgspec

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import load
from engine.commandline.exit_codes import OK
from engine.commandline.output import emit_json, emit_text
from engine.commandline.text.safe_text import visible
from engine.commandline.verbs.history import check_store
from engine.composition.compaction import Compaction, compact_history
from engine.core.state.report import SCHEMA_VERSION
from engine.core.times import rfc3339
from engine.errors import EngineError
from engine.settings.sections import LoadedSettings


class CompactAnswer(msgspec.Struct, frozen=True):
    """The output of `history compact --json`."""

    schema_version: int
    history: str
    dry_run: bool
    forgotten_by_age: int  # versions
    forgotten_by_thinning: int
    known_from: str | None  # nothing is known before this time; null: known from the first version on
    thin_seconds: int | None  # at most one version of a record is kept per interval; null: all are kept
    bytes_before: int
    bytes_after: int
    note: str | None  # why space was not returned to the disk


def run_compact(arguments: Arguments) -> int:
    """Forget what is due and print the result. Raises EngineError; what was not yet forgotten then is unchanged."""
    loaded = load(arguments)
    path = _check_settings(arguments, loaded)
    before = arguments.before
    if before is not None and before > time.time():
        raise EngineError(f"--before {rfc3339(before)} is in the future.", "Give a time in the past.")
    done = compact_history(loaded, before=before, dry_run=arguments.dry_run)
    answer = CompactAnswer(
        SCHEMA_VERSION,
        str(path),
        arguments.dry_run,
        done.by_age,
        done.by_thinning,
        done.known_from,
        loaded.settings.history.thin_seconds or None,
        done.bytes_before,
        done.bytes_after,
        done.note,
    )
    if arguments.format == "json":
        emit_json(msgspec.json.encode(answer))
    elif not arguments.quiet:
        emit_text("".join(f"{visible(line, 2000)}\n" for line in render(answer, done)))
    return OK


def render(answer: CompactAnswer, done: Compaction) -> list[str]:
    """The text output."""
    would = "Would forget" if answer.dry_run else "Forgot"
    if not done.by_age and not done.by_thinning:
        return [f"Nothing to forget in {answer.history}."]
    lines = []
    if done.by_age:
        lines.append(
            f"{would} {_versions(done.by_age)} older than {answer.known_from}. The home at that time and later "
            "stays known exactly; queries of earlier times are refused."
        )
    if done.by_thinning:
        lines.append(
            f"{would} {_versions(done.by_thinning)} that another of the same record followed within an interval of "
            f"{answer.thin_seconds} s; the last of each interval stays."
        )
    if answer.dry_run:
        lines.append("Nothing was changed.")
    else:
        lines.append(f"{answer.history}: {answer.bytes_before:,} bytes before, {answer.bytes_after:,} now.")
    if answer.note:
        lines.append(answer.note)
    return lines


def _versions(count: int) -> str:
    return f"{count:,} version{'' if count == 1 else 's'}"


def _check_settings(arguments: Arguments, loaded: LoadedSettings) -> Path:
    settings = loaded.settings
    scheme, _, rest = settings.records.uri.partition(":")
    if scheme != "history":
        raise EngineError(
            "Setting records.uri names no history file, and only that is compacted.",
            "What an InfluxDB forgets is set by the retention of its bucket.",
        )
    if not (settings.history.keep_days or settings.history.thin_seconds or arguments.before is not None):
        raise EngineError(
            "No setting lets the history forget anything.",
            "Set history.keep_days or history.thin_seconds (RECONCILE_HISTORY__KEEP_DAYS=365), or give a time: --before TIME.",
        )
    check_store(settings.records.uri)
    return Path(rest)
