"""Appends revisions to the history file: dates, numbers, writes and reads them back.

Every function works on a connection inside a write transaction that the caller holds.
"""

# ruff: noqa: S608 (names in statements are our own columns; values are bound)

from collections.abc import Iterable, Mapping, Sequence

import apsw

from engine.core.counts import plural
from engine.core.home.list_order import encode_order
from engine.core.records.record import Key
from engine.core.times import rfc3339
from engine.errors import ReplicaDiverged
from engine.ports import Run
from engine.replicas.history.dates import Dates, find_dates
from engine.replicas.history.revisions import Draft, digest_revision, encode_revisions
from engine.replicas.history.schema import COLUMNS, META
from engine.replicas.sqlite_file.remembered_home import keep_home

_NS = 1_000_000_000
_INSERT = f"INSERT INTO records ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_WRITTEN = "SELECT registry, id, hash, payload, digest FROM records WHERE at_ns >= ? ORDER BY at_ns"


def append(connection: apsw.Connection, replica: str, drafts: Sequence[Draft], run: Run) -> Dates:
    """Append the drafts, read them back, and save the run's data about the home; returns their dates. Raises ReplicaError."""
    # Strictly increasing, even if the clock was changed since the last commit.
    dates = find_dates(connection, replica, run.at)
    revs = _newest_revs(connection, {draft.key for draft in drafts})
    rows = list(encode_revisions(drafts, run, first_ns=dates.first_ns, revs=revs))
    connection.executemany(_INSERT, rows)
    _check_rows(connection, replica, [row[COLUMNS.index("digest")] for row in rows], dates.first_ns)
    if run.home is not None:
        keep_home(connection, META, run.home)
    if run.order is not None:
        keep_order(connection, run.order)
    return dates


def keep_order(connection: apsw.Connection, positions: Mapping[Key, int]) -> None:
    """Replace the stored positions of areas and floors."""
    connection.execute(
        f"INSERT INTO {META} VALUES ('list_order', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (encode_order(positions),),
    )


def note_of(dates: Dates, at: float) -> str | None:
    """A note for readers of the history about revisions that were redated at `at` (Unix seconds), if any."""
    if not dates.redated:
        return None
    was = "was" if dates.redated == 1 else "were"
    return (
        f"The clock was wrong: {plural(dates.redated, 'revision')} {was} dated up to {rfc3339(dates.newest_ns / _NS)}, later than "
        f"now, and {'has' if dates.redated == 1 else 'have'} {rfc3339(at)} instead, in their order; the true time is unknown."
    )


def _newest_revs(connection: apsw.Connection, keys: Iterable[Key]) -> dict[Key, int]:
    revs: dict[Key, int] = {}
    if connection.execute("SELECT 1 FROM records LIMIT 1").fetchone() is None:
        return revs  # a first fill
    for key in keys:
        statement = "SELECT CAST(rev AS INTEGER) FROM records WHERE registry = ? AND id = ? ORDER BY at_ns DESC LIMIT 1"
        for (rev,) in connection.execute(statement, key):
            # In a damaged row it may be anything.
            revs[key] = rev if isinstance(rev, int) else 0
    return revs


def _check_rows(connection: apsw.Connection, replica: str, digests: Sequence[object], first_ns: int) -> None:
    rows = connection.execute(_WRITTEN, (first_ns,)).fetchall()
    if [digest_revision(*row[:-1]) for row in rows] != list(digests):
        raise ReplicaDiverged(
            replica,
            f"{plural(len(digests), 'written revision')} {'does' if len(digests) == 1 else 'do'} not read back as written.",
            "Nothing was changed. Another program's trigger alters written rows.",
        )
