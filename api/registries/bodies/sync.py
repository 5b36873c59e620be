"""`sync` in every served record: whether it is real, since when, why, and what will be done about it."""

import msgspec

from api.registries.bodies.options import served_options
from engine.core.records.record import Key
from engine.core.state.record_verdict import Differs, RecordVerdict, Verdicts
from engine.core.times import rfc3339


class Sync(msgspec.Struct, frozen=True, gc=False):
    """The verdict on a record, over all replicas: its row, and its newest version in the records.

    `state`: `real` (every replica holds what Home Assistant has), `drifted` (another program changed a row), `foreign`
    (Home Assistant does not have it, and the engine did not write it), `missing` (a replica lacks it), `gone` (Home
    Assistant no longer lists it), `pending` (a change is not written yet), `set_aside` (an unusable row of Home Assistant
    may be this record) or `unknown`. `since`: when that began or was found, null: unknown;
    for a real record, when its row was last written. `differs`: the fields on which a replica (`found`) and Home Assistant
    (`source`) differ. `next`: what will be done about it; `command`: the command for it, null: none is needed.
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
    """Since when the verdict holds, RFC 3339; `written_at` is the row's own time of its last write."""
    if verdict.lasts_since_written:
        return written_at
    return None if verdict.since is None else rfc3339(verdict.since)


def served_sync(verdict: RecordVerdict, written_at: str | None) -> Sync:
    """A verdict on a row as served, without possible secrets."""
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
    """The differences, without possible secrets."""
    return tuple(map(_served, verdict.differs))


def _served(differs: Differs) -> Differs:
    if differs.name != "options":
        return differs
    source, found = (
        served_options(v) if isinstance(v, dict) else None for v in (differs.source, differs.found)
    )
    return Differs(differs.replica, differs.name, source, found)
