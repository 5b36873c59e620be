"""Reads the data of the page's sections: the rows now or at a time, each in one job off the event loop."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from api.app_context import AppContext
from api.http.problems import Problem
from api.http.queries import check_at
from api.page.views.changes import ChangesView, changes_view
from api.page.views.home import HITS_MAX, PAGE_SIZE, HomeQuery, HomeView, home_view
from api.page.views.home_index import (
    ENTITY_LINE_COLUMNS,
    PAST_REGISTRIES,
    WITHOUT_DEVICE,
    EntityLine,
    HomeIndex,
    KeptIndex,
    entities_of_rows,
    entity_line,
    index_of_rows,
)
from api.past import read_past
from api.ports import ReadTransaction
from engine.errors import EngineError

T = TypeVar("T")

CHANGES_SHOWN = 15
NO_INDEX = HomeIndex((), {}, {}, 0)


class Read(msgspec.Struct, frozen=True):
    """Sections, or the reason why they cannot be shown."""

    index: HomeIndex
    changes: ChangesView | None
    home: HomeView | None
    error: str | None = None


class Reader:
    """Reads of one home, with an index kept between requests."""

    def __init__(self, context: AppContext, kept: KeptIndex) -> None:
        self.context = context
        self._kept = kept

    async def read(self, job: Callable[[ReadTransaction, HomeIndex], T]) -> T:
        """A job's result from the rows and their index. Raises ReplicaError."""
        data_version = self.context.rows_reader.data_version()
        kept = self._kept.get(data_version)

        def look(transaction: ReadTransaction) -> tuple[T, HomeIndex]:
            index = kept or index_of_rows(transaction)
            return job(transaction, index), index

        made, index = await self.context.rows_reader.read(look)
        self._kept.put(data_version, index)
        return made

    async def front(self, query: HomeQuery) -> Read:
        """The sections of the front page."""
        if at_of(query.at) is not None:
            live = await self.live()
            try:
                return msgspec.structs.replace(live, home=await self._past(query))
            except (Problem, EngineError) as error:
                return msgspec.structs.replace(live, error=str(error))

        def job(transaction: ReadTransaction, index: HomeIndex) -> Read:
            changes = changes_view(transaction, index, self.context.activity, None, CHANGES_SHOWN)
            return Read(index, changes, _home(transaction, index, query))

        return await self._or_why(job)

    async def home(self, query: HomeQuery) -> HomeView:
        """The home section alone. Raises Problem, ReplicaError."""
        if at_of(query.at) is not None:
            return await self._past(query)
        return await self.read(lambda transaction, index: _home(transaction, index, query))

    async def live(self) -> Read:
        """The sections that update themselves."""

        def job(transaction: ReadTransaction, index: HomeIndex) -> Read:
            return Read(
                index, changes_view(transaction, index, self.context.activity, None, CHANGES_SHOWN), None
            )

        return await self._or_why(job)

    async def _or_why(self, job: Callable[[ReadTransaction, HomeIndex], Read]) -> Read:
        try:
            return await self.read(job)
        except EngineError as error:
            # The status section explains this; the rest of the page is still shown.
            return Read(NO_INDEX, None, None, str(error))

    async def _past(self, query: HomeQuery) -> HomeView:
        at = at_of(query.at)
        assert at is not None, "needs a time"
        try:
            areas = await self.read(lambda _moment, index: tuple(index.areas))
        except EngineError:
            areas = ()  # the past does not use today's order
        order = {id_: place for place, id_ in enumerate(areas)}

        def job(transaction: ReadTransaction) -> HomeView:
            return _home(transaction, index_of_rows(transaction, order), query)

        return await read_past(self.context, at, PAST_REGISTRIES, job)


def at_of(text: str) -> datetime | None:
    """The requested time; UTC if it names no zone. Raises Problem 400."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        at.astimezone(UTC)  # fails near the first and last year
    except (ValueError, OverflowError) as error:
        raise Problem(400, f"{text[:40]!r} is not a time. Write it as 2026-11-23T14:00, in UTC.") from error
    check_at(at)
    return at


def _home(transaction: ReadTransaction, index: HomeIndex, query: HomeQuery) -> HomeView:
    texts = transaction.texts("device") if query.words else {}
    return home_view(index, query, _entities(transaction, query), texts)


def _entities(transaction: ReadTransaction, query: HomeQuery) -> tuple[list[EntityLine], int]:
    if query.loose or (query.area and not query.words):
        wanted = [WITHOUT_DEVICE if query.loose else ("area_id", query.area)]
        rows = transaction.page("entity", ENTITY_LINE_COLUMNS, wanted, "", PAGE_SIZE)
        return [entity_line(row) for row in rows], transaction.count("entity", wanted)
    # Only a search goes through all entities.
    return entities_of_rows(transaction, query.words, HITS_MAX) if query.words and not query.area else ([], 0)
