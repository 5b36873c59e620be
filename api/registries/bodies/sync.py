"""`sync` in every served record: whether it is real, since when, why, and what is done about it."""

import msgspec

from api.registries.bodies.options import served_options
from engine.core.records.record import Key
from engine.core.state.record_verdict import Differs, RecordVerdict, Verdicts
from engine.core.times import rfc3339


class Sync(msgspec.Struct, frozen=True, gc=False):
    """The verdict on a record, over all replicas: its row, and its newest version in the records.

    `state`: `real` (every replica holds what Home Assistant has), `drifted` (another program changed a row), `foreign`
    (Home Assistant does not have it, and the engine did not write it), `missing` (a replica lacks it), `gone` (Home
    Assistant lists it no longer), `pending` (a change that is not written yet), `set_aside` (a row of Home Assistant
    that cannot be used may be it) or `unknown` (not known now). `since`: when that began or was found, null: not known;
    of a real record when its row was last written. `differs`: the fields on which a replica (`found`) and Home Assistant
    (`source`) differ. `next`: what will be done about it; `command`: which command does it, null: none is needed.
    """

    state: str
    cause: str | None
    since: str | None
    reasons: tuple[str, ...]
    differs: tuple[Differs, ...]
    next: str
    command: str | None


def sync_of(
    verdicts: Verdicts | None, key: Key, entity_id: str | None = None, written_at: str | None = None
) -> Sync | None:
    """The `sync` of a record; None if there are no verdicts, as for the past."""
    if verdicts is None:
        return None
    return served_sync(verdicts.of(key, entity_id=entity_id), written_at)


def since_text(verdict: RecordVerdict, written_at: str | None) -> str | None:
    """Since when it is so, RFC 3339; `written_at` is when the row was last written, as the row says it."""
    if verdict.lasts_since_written:
        return written_at
    return None if verdict.since is None else rfc3339(verdict.since)


def served_sync(verdict: RecordVerdict, written_at: str | None) -> Sync:
    """A verdict on a row as it is served: without what might be a secret."""
    return Sync(
        str(verdict.state),
        verdict.cause,
        since_text(verdict, written_at),
        verdict.reasons,
        served_differs(verdict),
        verdict.next,
        verdict.command,
    )


def served_differs(verdict: RecordVerdict) -> tuple[Differs, ...]:
    """What differs, without what might be a secret."""
    return tuple(map(_served, verdict.differs))


def _served(differs: Differs) -> Differs:
    if differs.name != "options":
        return differs
    source, found = (
        served_options(v) if isinstance(v, dict) else None for v in (differs.source, differs.found)
    )
    return Differs(differs.replica, differs.name, source, found)
