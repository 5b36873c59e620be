"""Digests over all that statements select, to show that nothing changed between two processes.

Every function works on a connection inside a transaction that the caller holds.
"""

from collections.abc import Iterable
from hashlib import blake2b
from itertools import chain, islice

import apsw

_ROWS_AT_ONCE = 64  # few enough to be digested while they are in the processor's cache


def digest_texts(connection: apsw.Connection, statements: Iterable[str]) -> str | None:
    """A digest over all that the statements select, in its order: of each row one text as bytes, with no line break in it.

    None where SQLite cannot make them: of a blob it makes no JSON. No such rows are ours.
    """
    digest = blake2b(digest_size=16)
    try:
        for statement in statements:
            digest.update(statement.encode())
            texts = chain.from_iterable(connection.execute(statement))
            while chunk := b"\n".join(islice(texts, _ROWS_AT_ONCE)):
                digest.update(chunk)
    except (apsw.SQLError, TypeError):
        return None
    return digest.hexdigest()


def text_of(columns: Iterable[str]) -> str:
    """SQL for one row as such a text; it distinguishes values of different types."""
    return f"CAST(json_array({', '.join(columns)}) AS BLOB)"
