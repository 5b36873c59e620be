"""Past homes as rows in memory, so that the same code reads past and present. The latest ones are kept."""

from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import NamedTuple

from api.http.problems import Problem
from api.ports import MakeRows, PastRevision, ReadTransaction, Timeline
from engine.core.home.derived import derive
from engine.core.home.snapshot import newest_version
from engine.core.records.record import Key, Record
from engine.core.times import rfc3339
from engine.errors import SourceInvalid

# One with 20,000 entities takes about 30 MiB. Two, for comparisons.
KEPT_MAX = 2


class AskedRecord(NamedTuple):
    """One record, by its id; an entity by an entity_id it ever had, or its registry id."""

    registry: str
    id: str


class PastHome(NamedTuple):
    """Rows of one time; and, by registry, why one of its records is missing."""

    rows: ReadTransaction
    unreadable: Mapping[str, str]


class PastHomes:
    """The homes read last. For one thread at a time."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, PastHome] = {}

    def at(
        self, timeline: Timeline, make_rows: MakeRows, at: datetime, asked: AskedRecord | None = None
    ) -> PastHome:
        """The home at a time; with `asked`, at least that record and the records shown with it.

        Raises Problem 404 when that time is unknown, ReplicaError.
        """
        edge = timeline.edge(at.timestamp())
        if edge is not None and (kept := self._kept.pop(edge, None)):
            self._kept[edge] = kept  # most recently used
            return kept
        if asked is not None:
            revisions = timeline.as_of_record(at.timestamp(), *asked)
            return _made(revisions or _as_of(timeline, at), make_rows)
        if len(self._kept) >= KEPT_MAX:  # before making another
            del self._kept[next(iter(self._kept))]
        home = _made(_as_of(timeline, at), make_rows)
        if edge is not None:
            self._kept[edge] = home
        return home


def _as_of(timeline: Timeline, at: datetime) -> Mapping[Key, PastRevision]:
    revisions = timeline.as_of(at.timestamp())
    if not revisions:
        raise _nothing_of(at, timeline.begins_at())
    return revisions


def _nothing_of(at: datetime, begins_at: float | None) -> Problem:
    """The answer for a time without records; `begins_at` is the time of the first one, if known."""
    if begins_at is None:
        return Problem(404, f"The records do not reach back to {rfc3339(at.timestamp())}.")
    begin = rfc3339(begins_at)
    if begins_at <= at.timestamp():
        return Problem(
            404, f"All that was recorded since {begin} had been deleted by {rfc3339(at.timestamp())}."
        )
    problem = Problem(
        404, f"The records do not reach back to {rfc3339(at.timestamp())}; they begin at {begin}."
    )
    problem.known_from = begin
    return problem


def _made(revisions: Mapping[Key, PastRevision], make_rows: MakeRows) -> PastHome:
    records, unreadable = dict[Key, Record](), dict[str, str]()
    for key, revision in revisions.items():
        try:
            records[key] = revision.record()
        except SourceInvalid as error:
            unreadable[key.registry] = error.message
    names_as_of = newest_version((r.at, r.ha_version) for r in revisions.values())
    recorded_at = {key: revisions[key].at for key in records}
    return PastHome(make_rows(records, derive(records, names_as_of), recorded_at), unreadable)
