"""The current verdict on a record without its row, as for its history."""

from api.app_context import AppContext
from api.registries.bodies.fields import time_text
from api.registries.bodies.sync import Sync, served_sync
from engine.core.records.record import Key
from engine.errors import EngineError


async def sync_now(context: AppContext, key: Key, entity_id: str | None = None) -> Sync | None:
    """The verdict on a record whose versions are shown; None while it is unknown whether it has a row."""
    try:
        rows = await context.rows_reader.read(
            lambda transaction: transaction.rows(key.registry, ("last_seen",), [key.id])
        )
    except EngineError:
        return None
    written_at = time_text(rows[0][1]) if rows else None
    verdict = context.verdicts().of(key, entity_id=entity_id, has_row=bool(rows))
    return served_sync(verdict, written_at)
