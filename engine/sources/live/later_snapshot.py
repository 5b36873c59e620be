"""Makes a snapshot from the newest one and the results of a later, partial look."""

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.core.state.hints import Hints
from engine.sources.answers.command_results import list_positions
from engine.sources.answers.listing import Known


def changed_snapshot(
    newest: Snapshot,
    hints: Hints,
    entities: list[Known],
    lists: list[tuple[str, list[Known]]],
    taken_at: float,
    true_at: float | None,
) -> Snapshot:
    """The newest snapshot with a look's results: single `entities`, and whole `lists` of registries. Raises SourceInvalid."""
    read = [*entities, *(known for _, rows in lists for known in rows)]
    read_keys = {known.key for known in read}
    changed = [
        (known.record, known.hash) for known in read if newest.home.records.get(known.key) != known.record
    ]
    listed = {registry for registry, _ in lists}
    gone = (
        {key for key in newest.home.records if key.registry in listed and key not in read_keys}
        if listed
        else set()
    )
    removed_entities = holders_of(newest, hints.removed_entity_ids) - read_keys
    return newest.with_changes(
        changed,
        gone | removed_entities,
        taken_at=taken_at,
        removed=hints.removed | removed_entities,
        true_at=true_at,
        listed=frozenset(listed),
        positions={
            **{key: place for key, place in newest.home.positions.items() if key.registry not in listed},
            **list_positions(dict(lists), newest.reading.health.ha_version),
        },
    )


def holders_of(newest: Snapshot, entity_ids: frozenset[str]) -> set[Key]:
    """The keys of the entities that had these entity_ids."""
    return {key for key in map(newest.home.entities.key_of, entity_ids) if key is not None}
