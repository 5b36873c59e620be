"""The home that a SQLite file belongs to, as ids of config entries in its table of names and values.

Every function works on a connection inside a transaction that the caller holds; the table exists.
"""

# ruff: noqa: S608 (names in statements are our own tables)

import apsw
import msgspec

from engine.core.decode_errors import DECODE_ERRORS

_IDS = msgspec.json.Decoder(list[str])


def decode_home(connection: apsw.Connection, table: str) -> frozenset[str]:
    """The config entries of the home; empty if none are remembered, or they cannot be read."""
    found = connection.execute(f"SELECT value FROM {table} WHERE name = 'home'").fetchone()
    if found is None or not isinstance(found[0], str):
        return frozenset()
    try:
        return frozenset(_IDS.decode(found[0]))
    except DECODE_ERRORS:
        return frozenset()


def keep_home(connection: apsw.Connection, table: str, entry_ids: frozenset[str]) -> None:
    """Remember these config entries instead of earlier ones."""
    connection.execute(
        f"INSERT INTO {table} VALUES ('home', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (msgspec.json.encode(sorted(entry_ids)).decode(),),
    )
