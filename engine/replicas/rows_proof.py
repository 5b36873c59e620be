"""The proof of the last agreement, kept in the rows file beside the rows it is about.

Every function works on a connection inside a transaction that the caller holds.
"""

# ruff: noqa: S608 (names in statements are our own tables and columns)

from hashlib import blake2b
from itertools import islice

import apsw
import msgspec

from engine.core.proof import Proof
from engine.replicas.row_codec import TABLES
from engine.replicas.sqlite_schema import columns_of

_META = "proof"
_ROWS_AT_ONCE = 1000

_encode_rows = msgspec.msgpack.Encoder().encode
_PROOF = msgspec.json.Decoder(Proof)


def digest_rows(connection: apsw.Connection) -> tuple[str, int] | None:
    """A digest over all columns of all rows, in their order, and the number of rows.

    None when a table lacks one of our columns, or a text is not UTF-8: no such rows were ever proved.
    """
    digest = blake2b(digest_size=16)
    count = 0
    for table in TABLES.values():
        present = {name.lower() for name in columns_of(connection, table.name)}
        if not present.issuperset(table.sql_names):
            return None
        rows = connection.execute(f"SELECT {', '.join(table.sql_names)} FROM {table.name} ORDER BY rowid")
        digest.update(table.name.encode())
        try:
            while chunk := list(islice(rows, _ROWS_AT_ONCE)):
                digest.update(_encode_rows(chunk))
                count += len(chunk)
        except UnicodeDecodeError:
            return None
    return digest.hexdigest(), count


def read_proof(connection: apsw.Connection) -> Proof | None:
    """The proof that was kept; None without one that this program understands."""
    if not columns_of(connection, "reconcile_meta"):
        return None
    found = connection.execute("SELECT value FROM reconcile_meta WHERE name = ?", (_META,)).fetchone()
    if found is None or not isinstance(found[0], str):
        return None
    try:
        return _PROOF.decode(found[0])
    except msgspec.DecodeError:
        return None


def write_proof(connection: apsw.Connection, proof: Proof) -> None:
    """Keep a proof in place of an earlier one."""
    connection.execute(
        "INSERT INTO reconcile_meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_META, msgspec.json.encode(proof).decode()),
    )
