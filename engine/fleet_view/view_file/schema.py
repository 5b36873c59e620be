"""The tables of the view's file, and the check that a file is such a file. It is a cache: with another schema it is rebuilt."""

from collections.abc import Mapping, Sequence
from typing import Any

import apsw
import msgspec

from engine.core.decode_errors import DECODE_ERRORS
from engine.errors import ReplicaRejected
from engine.replicas.sqlite_file.tables import is_empty

REPLICA = "fleet_view"
SCHEMA_VERSION = 1
APPLICATION_ID = 0x68615266  # "haRf"

_STATEMENTS = (
    "CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID",
    'CREATE TABLE position (topic TEXT NOT NULL, "partition" INTEGER NOT NULL, next INTEGER NOT NULL,'
    ' PRIMARY KEY (topic, "partition")) WITHOUT ROWID',
    # `said` is the newest message of the home's owner, null if there is none; `claim` stays when the home was removed.
    # Tags are words between spaces; `searched` is the text that a search reads.
    "CREATE TABLE site (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, claim INTEGER NOT NULL DEFAULT -1,"
    " owner TEXT NOT NULL DEFAULT '', said BLOB, ts_ms INTEGER, stage TEXT, status TEXT, drift_records INTEGER,"
    " is_connected INTEGER, tags TEXT NOT NULL DEFAULT '', searched TEXT NOT NULL DEFAULT '')",
    # A model with one firmware, and the numbers of its devices and homes.
    "CREATE TABLE model (number INTEGER PRIMARY KEY, manufacturer TEXT NOT NULL, model TEXT NOT NULL,"
    " sw_version TEXT NOT NULL, devices INTEGER NOT NULL DEFAULT 0, sites INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE (manufacturer, model, sw_version))",
    "CREATE TABLE model_site (site INTEGER NOT NULL, model INTEGER NOT NULL, devices INTEGER NOT NULL,"
    " PRIMARY KEY (site, model)) WITHOUT ROWID",
    "CREATE TABLE device (number INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, model INTEGER NOT NULL,"
    " model_id TEXT NOT NULL, hw_version TEXT NOT NULL, serial TEXT NOT NULL)",
    # The number of devices that have a word: it decides how to search.
    "CREATE TABLE word (word TEXT NOT NULL PRIMARY KEY, devices INTEGER NOT NULL) WITHOUT ROWID",
    # This program splits the words, so the tokenizer must not change them.
    "CREATE VIRTUAL TABLE search USING fts5 (words, content='', detail='none', columnsize=0,"
    " tokenize='ascii')",
)


class TopicsIdentity(msgspec.Struct, frozen=True):
    """The topics that a file was read from: for other topics its content is invalid."""

    prefix: str
    partitions: int
    topics: dict[str, str]  # the cluster's id of each topic, by name


_decode = msgspec.json.Decoder(TopicsIdentity).decode


def read_rows(
    connection: apsw.Connection, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()
) -> list[tuple[Any, ...]]:
    """The rows of a statement on our own tables, whose columns have the types that we write."""
    return connection.execute(statement, values).fetchall()


def check_ours(connection: apsw.Connection) -> bool:
    """Whether the file holds a view. Raises ReplicaRejected for another program's database."""
    if connection.pragma("application_id") == APPLICATION_ID:
        return True
    if not is_empty(connection):
        raise ReplicaRejected(
            REPLICA,
            "It is a database of another kind, and the fleet view would delete its content.",
            "Let fleet.view_file name a file of its own.",
        )
    return False


def identity_in(connection: apsw.Connection) -> TopicsIdentity | None:
    """The topics that the file was read from; None if its content is unusable."""
    if not check_ours(connection) or connection.pragma("user_version") != SCHEMA_VERSION:
        return None
    rows = read_rows(connection, "SELECT value FROM meta WHERE name = 'topics'")
    try:
        return _decode(rows[0][0]) if rows else None
    except DECODE_ERRORS:
        return None


def make_tables(connection: apsw.Connection, identity: TopicsIdentity, at: float) -> None:
    """Create the tables and drop those of an earlier view. Call it within a write transaction."""
    check_ours(connection)
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        " AND name NOT GLOB 'search_*'"
    )
    for (name,) in names.fetchall():
        connection.execute(f'DROP TABLE "{str(name).replace(chr(34), chr(34) * 2)}"')
    for statement in _STATEMENTS:
        connection.execute(statement)
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", SCHEMA_VERSION)
    encoded = msgspec.json.encode(identity)
    connection.execute("INSERT INTO meta VALUES ('topics', ?), ('begun_at', ?)", (encoded, at))
