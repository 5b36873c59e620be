"""Records absences after a pass has written its replicas, so that a later look may confirm that the records are gone."""

from collections.abc import Sequence

import msgspec

from engine.core.guards.absences import track_absences
from engine.core.records.record import Key
from engine.errors import ReplicaError
from engine.loop.passes.context import PassContext
from engine.loop.passes.memory import known_to
from engine.loop.passes.replica_pass import ReplicaPass


def note_absences(context: PassContext, passes: Sequence[ReplicaPass]) -> None:
    """Remember which of these replicas' records the read missed, after they were written, in the calling thread."""
    try:
        with context.reporting_shortage(passes[0].name):
            _note_absences(context, passes)
    except ReplicaError as error:
        context.note_error(error)


def _note_absences(context: PassContext, passes: Sequence[ReplicaPass]) -> None:
    compared = [(p, p.comparison) for p in passes if p.comparison is not None]
    if all(comparison.verdict.refused_whole for _, comparison in compared):
        return  # no replica was compared, or the read is not of this home
    kept = frozenset[Key]().union(*(comparison.kept.keys for _, comparison in compared))
    known = known_to([p.remembered for p in passes if p.remembered is not None])
    changed = [one.changed_keys for one in passes]
    keys = (
        None if any(keys is None for keys in changed) else set[Key]().union(*(keys or () for keys in changed))
    )
    found = track_absences(context.desired, known, context.absences(), context.calendar, keys, kept)
    if context.ended_absences:
        found = msgspec.structs.replace(found, returned=found.returned | context.ended_absences)
    context.note_absences(found)
