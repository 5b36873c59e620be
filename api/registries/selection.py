"""Selects the rows of a registry for a request, and their order: filters, a search, a verdict, a sort column.

Shared by the API's lists and facets and the page's tables. Valid only inside a job.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from api.http.problems import Problem
from api.ports import Filter, ReadTransaction
from engine.core.state.record_states import BY_URGENCY, State
from engine.core.state.record_verdict import Verdicts

# Of the filters whose value is the id of another record, its registry.
NAMED = {"area_id": "area", "floor_id": "floor", "label": "label", "device_id": "device"}
_NONE = "-"


class Selection(NamedTuple):
    """The selected rows; `sort` is a column, with a leading - for descending order."""

    filters: tuple[Filter, ...] = ()
    q: str = ""
    state: str = ""
    sort: str = ""

    @property
    def words(self) -> list[str]:
        """The words of the search."""
        return self.q.casefold().split()

    @property
    def is_search(self) -> bool:
        """Whether the search is the only condition."""
        return bool(self.words) and not (self.filters or self.state or self.sort)


def filters_for(
    transaction: ReadTransaction, registry: str, verdicts: Verdicts | None, selection: Selection
) -> tuple[Filter, ...]:
    """All conditions on the rows as filters of the store. Without verdicts, conditions on them are skipped."""
    filters = selection.filters
    if selection.state and verdicts is not None:
        filters = (*filters, *_of_state(registry, verdicts, State(selection.state)))
    if selection.words:
        found = transaction.found(registry, selection.words)
        filters = (*filters, ("keyed", msgspec.json.encode(found).decode()))
    return filters


def check_named(transaction: ReadTransaction, registry: str, filters: Sequence[Filter]) -> None:
    """Raises Problem 404 when a filter names a record that is not there: to find nothing under it would be a false word.

    Home Assistant may keep the id of a removed area or label in a row, so what a row still has is no such error.
    """
    for name, value in filters:
        named, id_ = NAMED.get(name), str(value)
        if named is None or id_ == _NONE or transaction.count(registry, ((name, value),)):
            continue
        # Only the filter by device matches in any case.
        known = id_.lower() if name == "device_id" else id_
        if transaction.row(named, (), id_) is None and transaction.row(named, (), known) is None:
            raise Problem(404, f"There is no {named} {id_!r}.")


def count_states(
    transaction: ReadTransaction, registry: str, verdicts: Verdicts, filters: Sequence[Filter]
) -> list[tuple[str, int]]:
    """(state, number of rows), most urgent first; states without rows are omitted."""
    states, rest = verdicts.by_state(registry)
    counts = {
        state: transaction.count(registry, (*filters, ("among", _ids(ids)))) for state, ids in states.items()
    }
    left = transaction.count(registry, filters) - sum(counts.values())
    counts[rest] = counts.get(rest, 0) + left
    return [(str(state), counts[state]) for state in BY_URGENCY if counts.get(state)]


def _of_state(registry: str, verdicts: Verdicts, state: State) -> list[Filter]:
    states, rest = verdicts.by_state(registry)
    if state is rest:
        others = [id_ for other, ids in states.items() if other is not rest for id_ in ids]
        return [("not_among", _ids(others))]
    return [("among", _ids(states.get(state, [])))]


def _ids(ids: Sequence[str]) -> str:
    return msgspec.json.encode(sorted(ids)).decode()
