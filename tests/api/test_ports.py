"""The engine's adapters keep the API's contracts: the type checker confirms it, and their methods exist."""

from collections.abc import Callable

from api.ports import PastRevision, ReadTransaction, RowsReader, Timeline
from engine.core.records.revision import Revision
from engine.ports import Records
from engine.replicas.rows.queries.read_transactions import RowsTransaction
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader

TRANSACTION: type[ReadTransaction] = RowsTransaction
ROWS_READER: type[RowsReader] = SqliteRowsReader
TIMELINE: Callable[[Records], Timeline] = lambda records: records  # noqa: E731 (only its type matters)
REVISION: Callable[[Revision], PastRevision] = lambda revision: revision  # noqa: E731 (only its type matters)


def test_contracts_have_no_method_that_the_engine_lacks() -> None:
    for contract, adapter in (
        (ReadTransaction, RowsTransaction),
        (RowsReader, SqliteRowsReader),
        (Timeline, Records),
    ):
        names = {name for name, value in vars(contract).items() if callable(value) and name[0] != "_"}
        assert names
        assert names <= set(dir(adapter))
