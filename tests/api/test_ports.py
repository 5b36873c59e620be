"""The engine's adapters keep the API's contracts: the type checker says so, and their methods are there."""

from collections.abc import Callable

from api.ports import Inventory, Moment, Revision, Timeline
from engine.ports import Records
from engine.ports import Revision as EngineRevision
from engine.replicas.rows.inventory import Moment as SqliteMoment
from engine.replicas.rows.inventory import SqliteInventory

MOMENT: type[Moment] = SqliteMoment
INVENTORY: type[Inventory] = SqliteInventory
TIMELINE: Callable[[Records], Timeline] = lambda records: records  # noqa: E731 (only its type matters)
REVISION: Callable[[EngineRevision], Revision] = lambda revision: revision  # noqa: E731 (only its type matters)


def test_contracts_have_no_method_that_the_engine_lacks() -> None:
    for contract, adapter in ((Moment, SqliteMoment), (Inventory, SqliteInventory), (Timeline, Records)):
        names = {name for name, value in vars(contract).items() if callable(value) and name[0] != "_"}
        assert names
        assert names <= set(dir(adapter))
