"""Queries of the history file about the past; every statement uses an index.

No statement here reads all revisions of a record, or of all records: a page costs what it holds, and the home
at a time costs one search per record, however long the history is.
"""

# ruff: noqa: S608 (names in statements are our own columns; values are bound)

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from engine.core.records.record import Device, Entity, Key
from engine.core.records.registries import REGISTRIES
from engine.core.records.revision import Revision
from engine.core.spelling import spellings
from engine.replicas.history.revisions import TOMBSTONE, revision_of

REVISION = ("at_ns", "registry", "id", "op", "rev", "hash", "payload", "run_id", "ha_version")
_SELECT = f"SELECT {', '.join(REVISION)} FROM records"
_OF_KEY = "registry = ? AND id = ?"
# One key's newest revision at a time, and the newest revision live at that time whose Home Assistant version is known.
_KEY_AS_OF = f"{_SELECT} WHERE {_OF_KEY} AND at_ns <= ? ORDER BY at_ns DESC LIMIT 1"
_VERSION_AS_OF = (
    f"{_SELECT} AS r WHERE at_ns <= ?1 AND hash != '-' AND ha_version IS NOT NULL AND NOT EXISTS (SELECT 1 FROM records AS n"
    " WHERE n.registry = r.registry AND n.id = r.id AND n.at_ns > r.at_ns AND n.at_ns <= ?1) ORDER BY at_ns DESC LIMIT 1"
)
_EDGE = "SELECT max(at_ns) FROM records WHERE at_ns <= ?"
# Every key once, each found by a search after the previous one. The last condition stops where a damaged index goes backwards.
_KEYS = """WITH RECURSIVE keys (at_ns, registry, id) AS (
  SELECT * FROM (SELECT at_ns, registry, id FROM records ORDER BY registry, id LIMIT 1)
  UNION ALL
  SELECT r.at_ns, r.registry, r.id FROM keys JOIN records AS r ON r.at_ns = coalesce(
    (SELECT n.at_ns FROM records AS n WHERE n.registry = keys.registry AND n.id > keys.id ORDER BY n.id LIMIT 1),
    (SELECT n.at_ns FROM records AS n WHERE n.registry > keys.registry ORDER BY n.registry, n.id LIMIT 1))
    AND (r.registry, r.id) > (keys.registry, keys.id))"""
_AS_OF = (
    f" SELECT {', '.join(f'r.{name}' for name in REVISION)} FROM keys JOIN records AS r ON r.at_ns = (SELECT max(n.at_ns)"
    " FROM records AS n WHERE n.registry = keys.registry AND n.id = keys.id AND n.at_ns <= ?)"
)
_BY_KEY = " ORDER BY keys.registry, keys.id"
AS_OF = f"{_KEYS}{_AS_OF}{_BY_KEY}"
# The same for the keys of one registry.
_KEYS_OF = """WITH RECURSIVE keys (at_ns, registry, id) AS (
  SELECT * FROM (SELECT at_ns, registry, id FROM records WHERE registry = ? ORDER BY id LIMIT 1)
  UNION ALL
  SELECT r.at_ns, r.registry, r.id FROM keys JOIN records AS r ON r.at_ns = (SELECT n.at_ns FROM records AS n
    WHERE n.registry = keys.registry AND n.id > keys.id ORDER BY n.id LIMIT 1)
    AND (r.registry, r.id) > (keys.registry, keys.id))"""
_REGISTRY_AS_OF = f"{_KEYS_OF}{_AS_OF}{_BY_KEY}"
_MENTIONING_AS_OF = f"{_KEYS_OF}{_AS_OF} WHERE instr(r.payload, ?){_BY_KEY}"
_COUNT = f"SELECT count(*) FROM (SELECT 1 FROM records WHERE {_OF_KEY} LIMIT ?)"
_REV_AT = f"SELECT rev FROM records WHERE {_OF_KEY} ORDER BY at_ns LIMIT 1 OFFSET ?"
_NEWEST_REV = f"SELECT rev FROM records WHERE {_OF_KEY} ORDER BY at_ns DESC LIMIT 1"
_REV_FROM = f"SELECT at_ns, coalesce(CAST(rev AS INTEGER), 0) FROM records WHERE {_OF_KEY} AND at_ns >= ? ORDER BY at_ns LIMIT 1"
# Separately, because SQLite reads all rows to find both in one statement.
_FIRST = f"SELECT min(at_ns) FROM records WHERE {_OF_KEY}"
_LAST = f"SELECT max(at_ns) FROM records WHERE {_OF_KEY}"
_PAGE = f"{_SELECT} WHERE {_OF_KEY} AND at_ns >= ? AND rev > ? ORDER BY at_ns LIMIT ?"
_NEWEST = f"{_SELECT} WHERE {_OF_KEY} AND at_ns < ? AND rev < ? ORDER BY at_ns DESC LIMIT ?"
# Only where Home Assistant itself wrote the record since the previous revision: a field added by an upgrade is not a delay.
_DELAYS = """SELECT r.at_ns, r.modified_us FROM records AS r WHERE r.at_ns > ? AND r.op = 'update'
  AND typeof(r.modified_us) = 'integer' AND r.modified_us > (SELECT p.modified_us FROM records AS p
    WHERE p.registry = r.registry AND p.id = r.id AND p.at_ns < r.at_ns ORDER BY p.at_ns DESC LIMIT 1)
  ORDER BY r.at_ns DESC LIMIT ?"""
DELAYS_MAX = 10_000
_ALL = -1  # as a LIMIT
_REV_MAX = 2**63 - 1
COUNTED_MAX = 10_000  # takes 1 ms

_MANY = ("device", "entity")  # the other registries are small and read completely

# Fetches all rows of a statement (statement, names of its columns, bindings).
Fetch = Callable[[str, Sequence[str], Sequence[str | int]], list[Any]]


def fetch_page(fetch: Fetch, key: Key, after: int, limit: int | None) -> list[Any]:
    """The revisions of a key after the one numbered `after`, oldest first."""
    start_ns = _first_behind(fetch, key, after) if after else 0
    return fetch(_PAGE, REVISION, (*key, start_ns, after, _ALL if limit is None else limit))


def fetch_newest(fetch: Fetch, key: Key, limit: int, before: int | None) -> list[Any]:
    """The newest revisions of a key, before the one numbered `before` if given, oldest first."""
    rev = _REV_MAX if before is None else before
    end_ns = _REV_MAX if before is None else _first_behind(fetch, key, before - 1)
    return fetch(_NEWEST, REVISION, (*key, end_ns, rev, limit))[::-1]


def fetch_edge(fetch: Fetch, at_ns: int) -> int | None:
    """The time of the last revision up to a time; None if there is none."""
    [(edge,)] = fetch(_EDGE, ("edge",), (at_ns,))
    return edge if isinstance(edge, int) else None


def find_record_as_of(
    fetch: Fetch, at_ns: int, registry: str, asked: str, holders: Callable[[], Iterable[str]]
) -> dict[Key, Revision]:
    """The result of `Records.as_of_record`, with `asked` in any case; `holders` are the ids of the entities that ever had it as
    their entity_id.

    Small registries are read completely: areas, floors, labels, categories and config entries. Of devices and entities, only
    those that the record refers to, and for a device also its entities, which it counts.
    """
    found: dict[Key, Revision] = {}

    def add(rows: Iterable[Any]) -> None:
        found.update((r.key, r) for r in map(revision_of, rows) if r.hash != TOMBSTONE)

    for few in REGISTRIES:
        if few not in _MANY:
            add(fetch(_REGISTRY_AS_OF, REVISION, (few, at_ns)))
    asked_as = spellings(asked) if registry in _MANY else ()
    keys = {Key(registry, id_) for id_ in asked_as}
    if registry == "entity":
        keys |= {Key("entity", id_) for id_ in holders()}
    for id_ in asked_as if registry == "device" else ():
        if fetch(_KEY_AS_OF, REVISION, (registry, id_, at_ns)):
            mentioned = msgspec.json.encode(id_).decode()
            add(fetch(_MENTIONING_AS_OF, REVISION, ("entity", at_ns, mentioned)))
    looked_for: set[Key] = set()
    while keys:
        for key in keys:
            add(fetch(_KEY_AS_OF, REVISION, (*key, at_ns)))
        looked_for |= keys
        keys = {key for revision in found.values() for key in _referred(revision)} - looked_for
    # Names follow the rule of the Home Assistant version that last wrote the home.
    add(fetch(_VERSION_AS_OF, REVISION, (at_ns,)))
    return dict(sorted(found.items()))


def _referred(revision: Revision) -> list[Key]:
    """The devices that a record refers to."""
    record = revision.content
    ids: tuple[str | None, ...] = ()
    if isinstance(record, Entity):
        ids = (record.device_id,)
    elif isinstance(record, Device):
        ids = (record.parent_device_id, record.via_device_id)
    return [Key("device", id_) for id_ in ids if id_]


def fetch_count(fetch: Fetch, key: Key, forgotten: int) -> int:
    """The number of stored revisions of a key; `forgotten` were deleted.

    Small numbers are counted. Larger ones follow from the revision numbers, which begin at 1 and have gaps only for forgotten ones.
    """
    [(count,)] = fetch(_COUNT, ("count",), (*key, COUNTED_MAX + 1))
    if count <= COUNTED_MAX:
        return int(count)
    [(rev,)] = fetch(_NEWEST_REV, ("rev",), key)
    [(late,)] = fetch(_REV_AT, ("rev",), (*key, COUNTED_MAX))
    is_numbered = forgotten > 0 or late == COUNTED_MAX + 1
    if is_numbered and isinstance(rev, int) and COUNTED_MAX < rev - forgotten <= _REV_MAX:
        return rev - forgotten
    [(count,)] = fetch(_COUNT, ("count",), (*key, _ALL))  # another program wrote some of them
    return int(count)


def fetch_delays(fetch: Fetch, since_ns: int) -> list[tuple[float, float]]:
    """(Unix seconds of the commit, seconds since Home Assistant's change) of updates since then."""
    rows = fetch(_DELAYS, ("at_ns", "modified_us"), (since_ns, DELAYS_MAX))
    return [(at_ns / 1e9, max(0.0, at_ns / 1e9 - modified_us / 1e6)) for at_ns, modified_us in rows]


def _first_behind(fetch: Fetch, key: Key, after: int) -> int:
    """The time of the first revision with a number above `after`, by binary search: numbers rise with time."""
    [(low,)], [(high,)] = fetch(_FIRST, ("low",), key), fetch(_LAST, ("high",), key)
    if low is None:
        return _REV_MAX
    high += 1
    while low < high:
        middle = (low + high) // 2
        found = fetch(_REV_FROM, ("at_ns", "rev"), (*key, middle))
        if not found or found[0][1] > after:
            high = middle
        else:
            low = max(low, found[0][0]) + 1  # in a damaged file it may be anything
    found = fetch(_REV_FROM, ("at_ns", "rev"), (*key, low))
    return int(found[0][0]) if found else _REV_MAX
