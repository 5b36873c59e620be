"""The rows that a query selects."""

from pathlib import Path

from api.ports import ReadTransaction
from api.registries.selection import Selection, count_states, filters_for
from engine.core.state.record_states import State
from engine.core.state.record_verdict import Verdicts
from engine.core.state.report import Report
from tests.api.serving import FRESHNESS, api_over, status_of
from tests.commandline.reports import foreign, report
from tests.homes import NOON


def test_only_a_search_without_filter_or_order_is_one() -> None:
    assert Selection(q="x").is_search
    assert not Selection(q=" ").is_search
    assert not Selection(q="x", state="real").is_search
    assert not Selection(q="x", sort="name").is_search
    assert not Selection(q="x", filters=(("domain", "light"),)).is_search


async def test_states_count_every_row_once(sample: tuple[Path, Report]) -> None:
    async with api_over(*sample) as api:
        ids = [row[0] for row in await api.rows_reader.read(lambda m: m.page("device", (), [], "", 2))]
        verdicts = Verdicts(status_of(report(*(foreign("x", key=id_) for id_ in ids))), NOON, FRESHNESS)
        total = await api.rows_reader.read(lambda m: m.count("device", []))
        counts = await api.rows_reader.read(lambda m: count_states(m, "device", verdicts, ()))
        assert counts == [("real", total - 2), ("foreign", 2)]
        for state, count in counts:
            selection = Selection(state=state)

            def found(transaction: ReadTransaction, selection: Selection = selection) -> int:
                return transaction.count("device", filters_for(transaction, "device", verdicts, selection))

            assert await api.rows_reader.read(found) == count
        assert verdicts.by_state("device")[1] is State.REAL
