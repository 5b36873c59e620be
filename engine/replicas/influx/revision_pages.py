"""Revisions in what was read, and parts of a record's timeline. Memory is taken only for what is kept."""

from collections.abc import Iterable, Iterator
from heapq import nlargest, nsmallest
from operator import attrgetter

from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.replicas.influx.reading import revision_of
from engine.replicas.influx.wires.wire import Block

_commit_time = attrgetter("at")


def revisions_in(blocks: Iterable[Block], key: Key) -> Iterator[Revision]:
    """All revisions of a key, in any order. A refresh is none: it says the same again."""
    revisions = (revision_of(key, row) for block in blocks for row in block.rows)
    return (r for r in revisions if r.op != "refresh")


def page_of(revisions: Iterable[Revision], after: int, limit: int | None) -> list[Revision]:
    """The revisions behind the one numbered `after`, oldest first, at most `limit`."""
    found = (r for r in revisions if r.rev > after)
    return sorted(found, key=_commit_time) if limit is None else nsmallest(limit, found, key=_commit_time)


def newest_of(revisions: Iterable[Revision], limit: int, before: int | None) -> list[Revision]:
    """The newest of the revisions before the one numbered `before`; oldest first, at most `limit`."""
    found = (r for r in revisions if before is None or r.rev < before)
    return nlargest(limit, found, key=_commit_time)[::-1]
