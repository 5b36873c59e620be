"""Explains in a 404 what became of a device or entity without a row, instead of calling it unknown."""

from contextlib import suppress

import anyio.to_thread

from api.app_context import AppContext
from api.http.problems import Became, Problem
from api.ports import ReadTransaction, Timeline
from engine.core.records.record import Key
from engine.core.spelling import spellings
from engine.core.state.fate import Fate, Former, fate_of, recorded_formers
from engine.core.times import rfc3339
from engine.errors import EngineError


async def find_fate(context: AppContext, registry: str, asked: str) -> Fate | None:
    """Its fate according to the rows file and the records; None if it never existed. Raises the rows file's ReplicaError."""
    asked = asked.strip()

    def look(transaction: ReadTransaction) -> list[Former]:
        return list(transaction.former(registry, asked))

    formers = await context.rows_reader.read(look)
    timeline = context.timeline
    if timeline is not None:
        # Without the records, the rows file still answers.
        with suppress(EngineError):
            formers += await anyio.to_thread.run_sync(
                lambda: _recorded(timeline, registry, asked), limiter=context.timeline_limiter
            )
    ids = sorted({former.key.id for former in formers})

    def name(transaction: ReadTransaction) -> dict[Key, str]:
        rows = transaction.rows(registry, ("id",) if registry == "entity" else (), ids)
        return {Key(registry, row[1] if registry == "entity" else row[0]): row[0] for row in rows}

    return fate_of(asked, formers, await context.rows_reader.read(name) if ids else {})


async def missing(context: AppContext, registry: str, asked: str, otherwise: str) -> Problem:
    """The 404 for a record without a row; `otherwise` is the detail if it never existed."""
    verdicts = context.verdicts()
    if (key := verdicts.missing(asked, registry)) is not None:
        verdict = verdicts.of(key, has_row=False)
        return Problem(
            404, f"The row of the {registry} {asked[:255]!r} is missing. {verdict.reasons[0]}. {verdict.next}"
        )
    fate = await find_fate(context, registry, asked)
    if fate is None:
        return Problem(404, otherwise)
    at = None if fate.at is None else rfc3339(fate.at)
    return Problem(404, fate.text, became=Became(fate.what, fate.id, fate.now_called, at))


def _recorded(timeline: Timeline, registry: str, asked: str) -> list[Former]:
    holders = timeline.holders(asked) if registry == "entity" else ()
    keys = [Key(registry, id_) for id_ in spellings(asked)]
    return list(recorded_formers(asked, keys, holders, timeline.newest))
