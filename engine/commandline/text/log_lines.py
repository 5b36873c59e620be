"""Log lines of the running engine: a constant message and fields, as text for people or JSON for programs.

Each change is one readable line. Names come from untrusted devices, so text is
escaped as everywhere; secrets never get here, because no value that holds one is logged.
"""

import logging
import re
import traceback
from collections import Counter
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, TextIO

import msgspec

from engine.commandline.text.forgotten_lines import ForgottenLines
from engine.commandline.text.library_records import LibraryRecords
from engine.commandline.text.log_limit import RepeatLimit
from engine.commandline.text.safe_text import value_text, visible
from engine.core.state.difference_words import awaited_text
from engine.core.state.intervals import Freshness
from engine.core.state.report import RecordReport, ReplicaReport, Report
from engine.core.state.status import SourceStatus, Status, replica_status, why_not_ready
from engine.core.times import rfc3339
from engine.core.words import GuardName, Outcome, SyncStatus

LOGGER = "reconcile"
Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]
# More changes than this in one pass are logged as a number; the change feed still has each.
_TOLD_MAX = 50
# A change that is written within this many seconds is not logged as a change of status.
_MOMENT = 5.0
_TEXT_LENGTH_MAX = 10_000
_OBEYED = re.compile("[\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = _fields_of(record)
        summary = "".join(f" {name}={_field(value)}" for name, value in fields.items())
        return (
            f"{rfc3339(record.created)} {record.levelname.lower():<7} {visible(record.getMessage())}{summary}"
        )


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        # `jq -r` prints decoded text, so the codes are in the text itself.
        fields = {name: _shown(value) for name, value in _fields_of(record).items()}
        message = _shown(record.getMessage())
        head = {"time": rfc3339(record.created), "level": record.levelname.lower(), "message": message}
        # JSON permits, and msgspec leaves, characters that some readers take for line ends and terminals execute.
        return _OBEYED.sub(lambda m: f"\\u{ord(m[0]):04x}", msgspec.json.encode({**head, **fields}).decode())


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
    fields: dict[str, object] = getattr(record, "fields", {})
    if not record.exc_info or record.exc_info[1] is None:
        return fields
    # Only the place and the type: its text may contain anything, and a traceback has many lines.
    error = record.exc_info[1]
    place = traceback.extract_tb(error.__traceback__)[-1:]
    at = "".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in place)
    return {**fields, "error": type(error).__name__, "at": at}


def set_up_logging(stream: TextIO, *, format_: str, level: str) -> logging.Logger:
    """The engine's logger, writing to `stream`; messages of libraries are included from warnings upwards, in our words."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Json() if format_ == "json" else _Text())
    handler.addFilter(LibraryRecords(LOGGER, with_text=level == "debug"))
    handler.addFilter(RepeatLimit())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    logger = logging.getLogger(LOGGER)
    logger.setLevel(level.upper())
    return logger


_HELD_BYTES_MAX = 4 * 2**20
_Failure = tuple[str, str]  # subject and message


class ReportLines:
    """Logs the findings and actions of passes: one line per record, refusal and error; none if nothing happened.

    An unchanged finding (a foreign row, a refusal, an error) is not logged again by the next pass.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._open: dict[str, set[tuple[str, ...]]] = {}  # records that still differ, by replica
        self._refusals: dict[str, dict[GuardName, str]] = {}  # message by guard, by replica
        self._failures: dict[str, set[_Failure]] = {}  # by the replica of the pass
        self._note: str | None = None  # about the source

    def log(self, report: Report) -> None:
        """Log the news in the report of a pass."""
        for replica in report.replicas:
            if replica.status != SyncStatus.UNKNOWN:  # for an unread replica the earlier lines stand
                own = [record for record in report.records if record.replica == replica.replica]
                self._log_records(replica.replica, own)
                self._log_refusals(replica)
            if replica.note:
                fields = {"replica": replica.replica, "reason": replica.note}
                self._logger.warning("note about a store", extra={"fields": fields})
        if report.source.note and report.source.note != self._note:
            fields = {"source": report.source.uri, "reason": report.source.note}
            self._logger.warning("note about the source", extra={"fields": fields})
        self._note = report.source.note
        self._log_errors(report)

    def _log_records(self, replica: str, records: list[RecordReport]) -> None:
        before = self._open.get(replica, set())
        new = [r for r in records if r.outcome == Outcome.APPLIED or _identity(r) not in before]
        self._open[replica] = {_identity(r) for r in records if r.outcome != Outcome.APPLIED}
        sentences = list(map(_sentence, new))
        summary = Counter(sentences)
        for record, sentence in zip(new, sentences, strict=True):
            if summary[sentence] <= _TOLD_MAX:
                self._logger.log(_level(record), sentence, extra={"fields": _fields(record)})
        for sentence, count in sorted(summary.items()):
            if count > _TOLD_MAX:
                many = {"replica": replica, "what": sentence, "count": count}
                self._logger.info("many records", extra={"fields": many})

    def _log_refusals(self, replica: ReplicaReport) -> None:
        name = replica.replica
        before = self._refusals.get(name, {})
        now = {refusal.guard: refusal.message for refusal in replica.refusals}
        for refusal in replica.refusals:
            if before.get(refusal.guard) != refusal.message:
                held = {"replica": name, "guard": refusal.guard, "held": refusal.held}
                held |= {"reason": refusal.message, "hint": refusal.hint}
                self._logger.warning(_HELD[refusal.held > 0], extra={"fields": held})
        for guard in before.keys() - now.keys():
            lifted = {"replica": name, "guard": guard}
            self._logger.info("changes no longer held back", extra={"fields": lifted})
        self._refusals[name] = now

    def _log_errors(self, report: Report) -> None:
        of = ",".join(replica.replica for replica in report.replicas)
        before = set[_Failure]().union(*self._failures.values())
        self._failures[of] = {(error.subject, error.message) for error in report.errors}
        # A store may fail in the passes of several replicas: the rows file is also the ledger of the others.
        now = set[_Failure]().union(*self._failures.values())
        for error in report.errors:
            if (error.subject, error.message) not in before:
                failed = {"subject": error.subject, "reason": error.message, "hint": error.hint}
                self._logger.error("pass failed", extra={"fields": failed})
        for subject in sorted({subject for subject, _ in before} - {subject for subject, _ in now}):
            self._logger.info("passes succeed again", extra={"fields": {"subject": subject}})


class StatusLines:
    """Logs each change of a replica's status once, in both directions, starting from unknown."""

    def __init__(self, logger: Logger, freshness: Freshness) -> None:
        self._logger = logger
        self._freshness = freshness
        self._logged: dict[str, str] = {}

    def log(self, status: Status, now: float) -> None:
        """Log the news in the status at `now` (Unix seconds)."""
        for replica in status.replicas:
            word, since = replica_status(replica, now, self._freshness)
            before = self._logged.get(replica.replica, SyncStatus.UNKNOWN)
            # Every change is pending for a moment before it is written.
            is_moment = (
                replica.status == SyncStatus.IN_SYNC
                and word == SyncStatus.OUT_OF_SYNC
                and now < (since or now) + _MOMENT
            )
            if word == before or is_moment:
                continue
            self._logged[replica.replica] = word
            fields: dict[str, object] = {"replica": replica.replica, "status": word, "before": before}
            reason = why_not_ready(replica, status.report, now, self._freshness)
            fields |= {"reason": reason} if reason else {}
            level = logging.INFO if word == SyncStatus.IN_SYNC else logging.WARNING
            self._logger.log(level, "status changed", extra={"fields": fields})


class HeldLogLines:
    """Logs when another program's read makes a SQLite log grow, and when that is over."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._logged: set[str] = set()

    def log(self, replica: str, held_bytes: int) -> None:
        """Log how much of a replica's log is held now, if that changed."""
        fields = {"replica": replica, "bytes": held_bytes}
        if held_bytes > _HELD_BYTES_MAX and replica not in self._logged:
            self._logged.add(replica)
            fields |= {
                "hint": "A program that reads the file does not end its transaction; find it with fuser -v."
            }
            self._logger.warning("log held by a reader", extra={"fields": fields})
        elif not held_bytes and replica in self._logged:
            self._logged.remove(replica)
            self._logger.info("log no longer held by a reader", extra={"fields": fields})


class SourceLines:
    """Logs when Home Assistant is followed, and when and why it is not. Logs nothing twice."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._logged: tuple[bool, str | None] | None = None

    def log(self, source: SourceStatus) -> None:
        """Log the current state, if it changed."""
        news = source.connected, source.error
        if news == self._logged:
            return
        self._logged = news
        if source.connected:
            known = {"source": source.uri, "version": source.version, "state": source.state}
            fields = {name: value for name, value in known.items() if value is not None}
            self._logger.info("Home Assistant is followed", extra={"fields": fields})
        else:
            lost = {"source": source.uri, "reason": source.error}
            self._logger.warning("Home Assistant is not followed", extra={"fields": lost})


class NamedHome(logging.LoggerAdapter[logging.Logger]):
    """Adds the home's name to the lines of a logger, for a service with many homes."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """The same line with the field `site`."""
        fields = (kwargs.get("extra") or {}).get("fields", {})
        return msg, {**kwargs, "extra": {"fields": {**(self.extra or {}), **fields}}}


class HomeLines:
    """The log lines of one home: its changes and its status."""

    def __init__(self, logger: Logger, freshness: Freshness) -> None:
        self.on_report = ReportLines(logger).log
        self.on_status = StatusLines(logger, freshness).log
        self.on_held_log = HeldLogLines(logger).log
        self.on_growth = ForgottenLines(logger).log
        self._source = SourceLines(logger)

    def on_source(self, _what: str, source: SourceStatus) -> None:
        """Log the state of Home Assistant, if it changed."""
        self._source.log(source)


def _identity(record: RecordReport) -> tuple[str, ...]:
    return record.registry, record.key, _sentence(record), record.cause, record.source_hash or ""


def _level(record: RecordReport) -> int:
    is_ordinary = record.cause == "pending" and record.outcome == Outcome.APPLIED
    return logging.INFO if is_ordinary else logging.WARNING


def _sentence(record: RecordReport) -> str:
    if record.outcome == Outcome.APPLIED:
        return "drift healed" if record.cause in ("drift", "conflict") else "change written"
    if record.outcome == Outcome.WAITING:
        return f"{record.action} waits for {awaited_text(record)}"
    return "change held back" if record.outcome == Outcome.HELD else "difference found"


_HELD = ("any change would be held back", "changes held back")


def _fields(record: RecordReport) -> dict[str, object]:
    changed = ", ".join(
        f"{change.name}: {value_text(change.replica)} -> {value_text(change.source)}"
        for change in record.fields
    )
    fields: dict[str, object] = {
        "replica": record.replica,
        "record": f"{record.registry}/{record.entity_id or record.key}",
        "name": record.name,
        "action": record.action or "none",
    }
    return {**fields, "fields": changed} if changed else fields


def _shown(value: object) -> object:
    return visible(value, _TEXT_LENGTH_MAX) if isinstance(value, str) else value


def _field(value: object) -> str:
    text = visible(str(value))
    if not text or " " in text or '"' in text:
        return f"'{text}'" if '"' in text else f'"{text}"'
    return text
