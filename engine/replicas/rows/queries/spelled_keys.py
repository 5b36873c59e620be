"""Finds the row that is meant by a key or registry id in another case."""

from collections.abc import Callable, Iterable, Sequence

from engine.core.spelling import folded
from engine.replicas.rows.queries.conditions import KEYS

# Reads the rows of a condition (SQL, bindings), the key first.
ReadKeys = Callable[[str, Sequence[str]], Iterable[Sequence[str]]]


def spelled_key(registry: str, asked: str, read: ReadKeys, all_keys: Callable[[], Iterable[str]]) -> str:
    """The key of the one row whose key or registry id is `asked` in another case; else `asked`, without blanks around it."""
    asked = asked.strip()
    if asked.isascii():  # the only case that SQLite folds
        names = (KEYS[registry], "id") if registry == "entity" else (KEYS[registry],)
        found = {
            row[0] for row in read(" OR ".join(f"{name} = ?1 COLLATE NOCASE" for name in names), (asked,))
        }
    else:
        found = {key for key in all_keys() if folded(key) == folded(asked)}
    return found.pop() if len(found) == 1 else asked
