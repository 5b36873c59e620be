"""A small table of the entities that ever had an entity_id, so that a lookup need not read all payloads.

Triggers maintain it, so it is correct for revisions of any program. For a file from before
this table, its revisions are read into it in steps; until that is done the revisions themselves are searched.

Every function works on a connection inside a transaction that the caller holds.
"""

# ruff: noqa: S608 (names in statements are our own columns; values are bound)

import apsw
import msgspec

from engine.core.spelling import spellings
from engine.replicas.sqlite_file.tables import has_table

# CASE, because any program can write there, and every statement that reads a value fails if it is not JSON.
_ENTITY_ID = (
    "CASE WHEN typeof({0}.payload) = 'text' AND json_valid({0}.payload)"
    " THEN json_extract({0}.payload, '$.entity_id') END"
)
_IS_ENTITY = f"{{0}}.registry = 'entity' AND typeof({_ENTITY_ID}) = 'text'"
_NOTE = (
    f" INSERT INTO bearers VALUES ({_ENTITY_ID}, {{0}}.id, {{0}}.at_ns)"
    " ON CONFLICT (entity_id, id) DO UPDATE SET at_ns = excluded.at_ns; "
)
_TRIGGER = (
    f"CREATE TRIGGER IF NOT EXISTS bearers_{{1}} AFTER {{1}} ON records WHEN {_IS_ENTITY} BEGIN{_NOTE}END"
)
STATEMENTS = (
    # at_ns: the newest revision with this name.
    """CREATE TABLE IF NOT EXISTS bearers (entity_id TEXT NOT NULL, id TEXT NOT NULL, at_ns INTEGER NOT NULL,
      PRIMARY KEY (entity_id, id)) WITHOUT ROWID""",
    _TRIGGER.format("new", "insert"),
    _TRIGGER.format("new", "update"),
)
_ALL = "all"
_ASK = "SELECT DISTINCT id FROM bearers WHERE entity_id IN (SELECT value FROM json_each(?))"
_SCAN = (
    "SELECT DISTINCT id FROM records WHERE registry = 'entity'"
    " AND typeof(payload) = 'text' AND instr(lower(payload), lower(?)) AND json_valid(payload)"
    " AND payload ->> 'entity_id' IN (SELECT value FROM json_each(?))"
)
_READ_IN = (
    f"INSERT INTO bearers SELECT {_ENTITY_ID.format('r')}, r.id, max(r.at_ns) FROM records AS r"
    f" WHERE r.at_ns > ? AND r.at_ns <= ? AND {_IS_ENTITY.format('r')} GROUP BY 1, 2"
    " ON CONFLICT (entity_id, id) DO UPDATE SET at_ns = max(at_ns, excluded.at_ns)"
)
_PROGRESS = "INSERT INTO meta VALUES ('bearers', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


def make_holders(connection: apsw.Connection, *, is_whole: bool) -> None:
    """Create the table and its triggers; it `is_whole` if there are no revisions yet."""
    for statement in STATEMENTS:
        connection.execute(statement)
    connection.execute(_PROGRESS, (_ALL if is_whole else 0,))


def find_holders(connection: apsw.Connection, entity_id: str) -> list[str]:
    """The ids of the entities that ever had this entity_id, typed in any case, as far as the history reaches."""
    wanted = msgspec.json.encode(spellings(entity_id)).decode()
    if _progress(connection) == _ALL:
        found = connection.execute(_ASK, (wanted,))
    else:
        found = connection.execute(_SCAN, (entity_id.strip(), wanted))
    return [str(id_) for (id_,) in found]


def is_whole(connection: apsw.Connection) -> bool:
    """Whether the table covers all revisions."""
    return _progress(connection) == _ALL


def read_in(connection: apsw.Connection, revisions: int) -> None:
    """Read the next `revisions` revisions into the table; creates it if missing."""
    done = _progress(connection)
    if done is None:
        make_holders(connection, is_whole=False)
        done = 0
    if isinstance(done, str):
        return
    last = connection.execute(
        "SELECT max(at_ns) FROM (SELECT at_ns FROM records WHERE at_ns > ? ORDER BY at_ns LIMIT ?)",
        (done, revisions),
    ).fetchone()
    until = last[0] if last else None
    if not isinstance(until, int) or until <= done:  # a damaged file may go backwards
        until = None
    if until is not None:
        connection.execute(_READ_IN, (done, until))
    connection.execute(_PROGRESS, (_ALL if until is None else until,))


def forget_holders(connection: apsw.Connection, before_ns: int) -> None:
    """Delete names that no revision before this time has any more."""
    if _progress(connection) is not None:
        connection.execute(
            "DELETE FROM bearers WHERE at_ns < ?"
            " AND NOT EXISTS (SELECT 1 FROM records AS r WHERE r.at_ns = bearers.at_ns)",
            (before_ns,),
        )


def _progress(connection: apsw.Connection) -> str | int | None:
    """The revision up to which the table is filled, or the mark of a complete table; None without a table of ours."""
    if not (has_table(connection, "bearers") and has_table(connection, "meta")):
        return None
    found = connection.execute("SELECT value FROM meta WHERE name = 'bearers'").fetchone()
    value = found[0] if found is not None else None
    return value if value == _ALL or (isinstance(value, int) and value >= 0) else None
