"""Events that change ids by the hundred although nothing changed in the home.

Two such events are known: a store that was corrupt, after which Home Assistant starts over with an empty
registry and new ids, and the upgrade to 2026.8, which replaced each device shared by several config entries
by one per entry. Both leave equivalent traces in the live API and in the store.
"""

from collections.abc import Iterable

from engine.core.records.registries import BY_NAME

# The files of `.storage` that hold registries, by registry.
STORES = {registry.name: registry.store for registry in BY_NAME.values()}

_ISSUE = "storage_corruption_"
_FILE = ".corrupt."


def corrupt_stores_of_issues(issue_ids: Iterable[str]) -> tuple[str, ...]:
    """The registry stores that Home Assistant's repair issues report as corrupt, sorted.

    The issue stays until the user resolves it, even if ignored. Issues are called
    `storage_corruption_<store>_<time>` (2026.11.0, seen 2026-11-23). Issues of other stores are skipped.
    """
    named = {i.removeprefix(_ISSUE).rpartition("_")[0] for i in issue_ids if i.startswith(_ISSUE)}
    return tuple(sorted(named & set(STORES.values())))


def corrupted_at(file_name: str) -> tuple[str, str] | None:
    """(store, ISO time) of the file that a corrupt registry store was renamed to; None for other files."""
    store, mark, time = file_name.partition(_FILE)
    return (store, time) if mark and store in STORES.values() else None


def order_split(new_ids: Iterable[str], primary_id: str | None) -> tuple[str, ...]:
    """The devices that replaced one: first the primary, which inherits, the others in order of their ids."""
    return tuple(sorted(set(new_ids), key=lambda new_id: (new_id != primary_id, new_id)))
