"""The searched text of each row of a registry: all its names, including earlier ones, its ids and its model, in lower case."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.replicas.rows.column_types import patched_rows
from engine.replicas.rows.queries.conditions import KEYS, TEXTS

Read = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]  # (statement, bindings) -> rows

# The changes that removed a name.
_FORMER = (
    "SELECT id, before ->> 'entity_id', before ->> 'name', before ->> 'name_by_user', before ->> 'original_name',"
    " before ->> 'title' FROM (SELECT coalesce(CAST(id AS TEXT), '') AS id, CASE WHEN typeof(before) = 'text'"
    " AND json_valid(before) THEN before END AS before FROM reconcile_changes WHERE registry = ? AND op = 'u'"
    " AND (before LIKE '%name\":%' OR before LIKE '%entity_id\":%' OR before LIKE '%title\":%'))"
    " WHERE before IS NOT NULL"
)


def read_texts(registry: str, source: str, read: Read, *, has_feed: bool) -> dict[str, str]:
    """The texts by key, in no order. `source` is the table; without a feed, earlier names are unknown."""
    former = _former_names(registry, read) if has_feed else {}
    texts = {}
    for key, own_id, text in _rows(registry, source, read):
        earlier = [former[id_] for id_ in (key, own_id) if id_ in former]
        texts[key] = "\n".join([text, *earlier]).casefold() if earlier else text.casefold()
    return texts


def with_all(texts: Mapping[str, str], words: Sequence[str]) -> list[str]:
    """The keys of the texts that hold every word, sorted."""
    first, *others = sorted(words, key=len, reverse=True)  # longer words are rarer
    found = [key for key, text in texts.items() if first in text]
    for word in others:
        found = [key for key in found if word in texts[key]]
    return sorted(found)


def _rows(registry: str, source: str, read: Read) -> list[tuple[str, str | None, str]]:
    """(key, the registry's own id, text) of every row."""
    key = KEYS[registry]
    own_id = "CAST(id AS TEXT)" if registry == "entity" else "NULL"
    text = f"concat_ws(char(10), {', '.join((key, *TEXTS.get(registry, ())))})"
    # The + before the key makes SQLite read the rows in storage order, in a third of the time of using the index.
    where = f"FROM {source} WHERE +{key} > '' AND +{key} < x''"
    try:
        return read(f"SELECT {key}, {own_id}, {text} {where}", ())
    except UnicodeDecodeError:
        return patched_rows(
            read(f"SELECT CAST({key} AS BLOB), CAST({own_id} AS BLOB), CAST({text} AS BLOB) {where}", ())
        )


def _former_names(registry: str, read: Read) -> dict[str, str]:
    """The earlier names of records, by id, as far as the change feed reaches."""
    found: dict[str, str] = {}
    for id_, *names in read(_FORMER, (registry,)):
        found[id_] = "\n".join([found.get(id_, ""), *(str(name) for name in names if name)])
    return found
