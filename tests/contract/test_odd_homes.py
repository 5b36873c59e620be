"""Whatever is in one row, every other record of the home is mirrored, and a second pass has nothing to do."""

import json
import tempfile
from pathlib import Path
from typing import Any

import anyio
import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.guards.guard import Policy
from engine.core.records.record import Key
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import PlanCounts, Report
from engine.core.words import Mode
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.ports import Replica, Source
from engine.replicas.history.replica import open_history
from engine.replicas.rows.replica import open_rows
from engine.sources.records import RecordsSource
from tests.contract.odd_homes import FORMS, OddHome, json_values
from tests.examples import at_most
from tests.homes import NOON

# Deletes are confirmed at once: what is not deleted then is protected by nothing but what was set aside.
POLICY = Policy(delete_confirm_seconds=0)


class Mirror:
    """A rows file and a history file, kept by passes."""

    def __init__(self, folder: Path) -> None:
        self.rows = open_rows(folder / "rows.db")
        self.history = open_history(folder / "history.db")

    async def run(self, source: Source) -> Report:
        options = PassOptions(Mode.APPLY, POLICY, frozenset(REGISTRIES), "run", "home")
        replicas: list[Replica] = [self.rows, self.history]
        report = await Reconciler(source, replicas, self.rows, lambda: NOON, lambda *_: None).run(options)
        assert report.errors == ()
        assert {replica.status for replica in report.replicas} <= {"in_sync", "out_of_sync"}
        return report

    def versions(self) -> dict[Key, str]:
        """The content hashes that both replicas hold."""
        rows = {key: v.partition("+")[0] for key, v in self.rows.observe().versions.items()}
        assert rows == self.history.observe().versions
        return rows

    def close(self) -> None:
        self.rows.close()
        self.history.close()


def excepted(home: OddHome, registry: str, position: int, value: Any) -> set[Key]:
    """The row itself, and those whose identity it may have taken."""
    keys = {home.key(registry, position)}
    texts = value.values() if isinstance(value, dict) else [value]
    for nth, row in enumerate(home.rows[registry]):
        if any(row.get(name) in texts for name in ("id", "entity_id", "area_id")):
            keys.add(home.key(registry, nth))
    return keys


async def check(form: str, registry: str, position: int, field: str | None, value: Any) -> None:
    home = OddHome(form)
    kept_out = excepted(home, registry, position, value)
    odd = OddHome(form)
    odd.put(registry, position, field, value)
    with tempfile.TemporaryDirectory() as name:
        mirror = Mirror(Path(name))
        async with home.source(Path(name)) as source:
            await mirror.run(source)
        before = mirror.versions()
        async with odd.source(Path(name)) as source:
            await mirror.run(source)
            after = mirror.versions()
            again = await mirror.run(source)
        assert {k: after.get(k) for k in before.keys() - kept_out} == {
            k: v for k, v in before.items() if k not in kept_out
        }
        assert all(replica.planned == PlanCounts() for replica in again.replicas)
        assert mirror.versions() == after
        mirror.close()


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=at_most(25))
@given(st.data())
def test_any_value_in_any_field_costs_at_most_that_record(form: str, data: st.DataObject) -> None:
    registry = data.draw(st.sampled_from(REGISTRIES), label="registry")
    home = OddHome(form)
    position = data.draw(st.integers(0, len(home.rows[registry]) - 1), label="position")
    field = data.draw(st.none() | st.sampled_from(home.fields(registry)), label="field")
    others = [v for row in home.rows[registry] for v in row.values() if isinstance(v, str)]
    value = data.draw(json_values | st.sampled_from(others), label="value")
    anyio.run(check, form, registry, position, field, value)


def put_into_history(path: Path, key: Key, field: str, value: Any) -> None:
    """Put a value into a field of a stored revision, as a program of another version might have."""
    connection = apsw.Connection(str(path))
    ((payload,),) = connection.execute(
        "SELECT payload FROM records WHERE (registry, id) = (?, ?)", (key.registry, key.id)
    )
    fields = json.loads(payload) | {field: value}
    connection.execute(
        "UPDATE records SET payload = ? WHERE (registry, id) = (?, ?)",
        (json.dumps(fields), key.registry, key.id),
    )
    connection.close()


async def check_records(registry: str, position: int, field: str, value: Any) -> None:
    home = OddHome("capture")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mirror = Mirror(folder)
        async with home.source(folder) as source:
            await mirror.run(source)
        before = mirror.versions()
        mirror.close()
        put_into_history(folder / "history.db", home.key(registry, position), field, value)
        restored, history = open_rows(folder / "restored.db"), open_history(folder / "history.db")
        source = RecordsSource(history, lambda: NOON + 60)
        options = PassOptions(Mode.APPLY, POLICY, frozenset(REGISTRIES), "run", "home")
        reconciler = Reconciler(source, [restored], restored, lambda: NOON, lambda *_: None)
        reports = [await reconciler.run(options) for _ in range(2)]
        after = {key: v.partition("+")[0] for key, v in restored.observe().versions.items()}
        kept_out = excepted(home, registry, position, value)
        assert {k: after.get(k) for k in before.keys() - kept_out} == {
            k: v for k, v in before.items() if k not in kept_out
        }
        assert [report.errors for report in reports] == [(), ()]
        assert all(replica.planned == PlanCounts() for replica in reports[1].replicas)
        restored.close()
        history.close()


@pytest.mark.slow
@settings(max_examples=at_most(25))
@given(st.data())
def test_any_value_in_a_stored_revision_costs_at_most_that_record(data: st.DataObject) -> None:
    registry = data.draw(st.sampled_from(REGISTRIES), label="registry")
    home = OddHome("capture")
    position = data.draw(st.integers(0, len(home.rows[registry]) - 1), label="position")
    field = data.draw(st.sampled_from(home.fields(registry)), label="field")
    others = [v for row in home.rows[registry] for v in row.values() if isinstance(v, str)]
    value = data.draw(json_values | st.sampled_from(others), label="value")
    anyio.run(check_records, registry, position, field, value)
