"""The proof of the last agreement, kept in a SQLite file beside the rows it is about.

Every function works on a connection inside a transaction that the caller holds.
"""

# ruff: noqa: S608 (names in statements are our own tables)

from collections.abc import Callable, Iterable
from hashlib import blake2b
from itertools import islice
from typing import TypeAlias

import apsw
import msgspec

from engine.core.compare.proof import Etag, Proof

# A digest over all that a proof is about, and how many records that is; None where there is none.
Digest: TypeAlias = Callable[[apsw.Connection], tuple[str, int] | None]

_ROWS_AT_ONCE = 64  # few enough to be digested while they are in the processor's cache

_encode_rows = msgspec.msgpack.Encoder().encode
_PROOF = msgspec.json.Decoder(Proof)


def digest_rows(connection: apsw.Connection, statements: Iterable[str]) -> tuple[str, int] | None:
    """A digest over all that the statements select, in its order, and the number of rows.

    None where a text is not UTF-8: no such rows were ever proved.
    """
    digest = blake2b(digest_size=16)
    count = 0
    for statement in statements:
        digest.update(statement.encode())
        rows = connection.execute(statement)
        try:
            while chunk := list(islice(rows, _ROWS_AT_ONCE)):
                digest.update(_encode_rows(chunk))
                count += len(chunk)
        except UnicodeDecodeError:
            return None
    return digest.hexdigest(), count


def find_proof(connection: apsw.Connection, table: str, digest: Digest) -> Proof | None:
    """The proof that is kept, if what it is about still is what it was."""
    proof = read_proof(connection, table)
    return proof if proof is not None and digest(connection) == (proof.rows, proof.count) else None


def keep_proof(connection: apsw.Connection, table: str, digest: Digest, program: str, etag: Etag) -> None:
    """Keep the proof that what there is equals what `etag` names; none where there is no digest of it."""
    rows = digest(connection)
    if rows is not None:
        write_proof(connection, table, Proof(program, etag, *rows))


def read_proof(connection: apsw.Connection, table: str) -> Proof | None:
    """The proof that is kept in a table of names and values; None without one that this program understands."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone() is None:
        return None
    found = connection.execute(f"SELECT value FROM {table} WHERE name = 'proof'").fetchone()
    if found is None or not isinstance(found[0], str):
        return None
    try:
        return _PROOF.decode(found[0])
    except msgspec.DecodeError:
        return None


def write_proof(connection: apsw.Connection, table: str, proof: Proof) -> None:
    """Keep a proof in place of an earlier one."""
    connection.execute(
        f"INSERT INTO {table} VALUES ('proof', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (msgspec.json.encode(proof).decode(),),
    )
