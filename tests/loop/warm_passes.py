"""A pass as the service runs it, with the memory of earlier passes."""

from collections.abc import Sequence

from engine.core.state.report import Report
from engine.loop.passes.context import PassContext
from engine.loop.passes.memory import ReplicaMemory
from engine.loop.passes.missing_records import note_absences
from engine.loop.passes.options import Since
from engine.loop.passes.replica_pass import ReplicaPass
from engine.loop.passes.report import report_pass
from engine.ports import Replica
from tests.homes import NOON

Memories = dict[str, ReplicaMemory]


async def warm_pass(
    context: PassContext, replicas: Sequence[Replica], memories: Memories, since: Since | None = None
) -> Report:
    """One pass over these replicas; `memories` are kept up to date."""
    passes = [ReplicaPass(r, context, memory=memories.get(r.name), since=since) for r in replicas]
    for one in passes:
        await one.compare()
    if context.options.mode == "apply":
        for one in passes:
            one.apply()
        note_absences(context, passes)
    memories.clear()
    memories.update({one.name: one.memory for one in passes if one.memory is not None})
    return report_pass(context, passes, NOON)
