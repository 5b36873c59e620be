"""From Home Assistant's event to the committed row: the wait a dashboard sees after a rename.

Input: a real Home Assistant (`python -m tests.real.installation`), the demo home alone and with 20,000 entities
more; 200 changes of one entity's name, one after the other. Method: the service runs in this process, with a
history file as records; a change's time is `time_fired` of its event, its end the moment the pass that committed its
row reports. Both are clocks of this machine. Budget on an idle machine: p99 under 50 ms with the demo home, under
100 ms with 20,000 entities.

    python -m bench.service.event_to_row [--entities 0 20000]
"""

import argparse
import json
import tempfile
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import quantiles

import anyio
import anyio.to_thread

from bench.figures import Figure, publish
from engine.composition.follow import make_service
from engine.composition.stores import open_stores
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.settings.layers import load_settings
from engine.sources.live.connection import open_connection
from tests.real.home_assistant import HomeAssistant, running_home_assistant
from tests.real.installation import find_installation

CHANGES = 200
P99_MAX, P99_MAX_LARGE = 50.0, 100.0  # ms
WARM_UP = 5  # changes that wait for the second look after a first fill, and are thrown away
ENTITY = "light.bed_light"


async def measure(core: HomeAssistant, folder: Path) -> list[float]:
    """Seconds from event to committed row, one per change, once both replicas are filled."""
    flags = {
        "source.uri": core.url,
        "rows.file": str(folder / "rows.db"),
        "records.uri": f"history:{folder / 'history.db'}",
        # What is measured is the leading edge; the gap between changes is longer than this.
        "loop.coalesce_seconds": 0.01,
    }
    loaded = load_settings(flags, {"RECONCILE_SOURCE__TOKEN": core.token}, None, folder)
    committed: dict[str, float] = {}
    settled = anyio.Event()
    in_sync = set[str]()

    def on_report(report: Report) -> None:
        now = time.time()
        (replica,) = report.replicas
        if report.status == "in_sync":
            in_sync.add(replica.replica)
        if in_sync == {"sqlite", "history"}:
            settled.set()
        if replica.replica != "sqlite":
            return
        for record in report.records:
            for change in record.fields:
                if record.entity_id == ENTITY and change.name == "name":
                    committed[str(change.source)] = now

    waits = []
    with open_stores(loaded) as stores:
        service = make_service(loaded, stores, mode=Mode.APPLY, on_report=on_report)
        async with anyio.create_task_group() as tasks, open_connection(core.url, core.token) as admin:
            tasks.start_soon(service.run)
            await settled.wait()
            events = await admin.subscribe("subscribe_events", event_type="entity_registry_updated")
            for number in range(WARM_UP + CHANGES):
                name = f"Name {number}"
                await admin.command("config/entity_registry/update", entity_id=ENTITY, name=name)
                fired = json.loads(bytes(await anext(events)))["time_fired"]
                with anyio.fail_after(10):
                    while name not in committed:  # noqa: ASYNC110 (set by a callback of the service)
                        await anyio.sleep(0.001)
                waits.append(committed[name] - datetime.fromisoformat(fired).timestamp())
                await anyio.sleep(0.03)
            tasks.cancel_scope.cancel()
    return waits[WARM_UP:]


def figures_of(entities: int) -> list[Figure]:
    """The wait in a home of its own with so many entities added."""
    with (
        tempfile.TemporaryDirectory() as directory,
        running_home_assistant(find_installation().python, Path(directory) / "core") as core,
    ):
        for part in range(0, entities, 10_000):
            core.add_bulk(name=f"Bulk {part}", devices=min(10_000, entities - part) // 10, entities=10)
        cuts = quantiles(anyio.run(partial(measure, core, Path(directory))), n=100)
    size = f"demo home and {entities:,} entities"
    budget = P99_MAX_LARGE if entities else P99_MAX
    return [
        Figure(name="event to row, p50", size=size, value=cuts[49] * 1000, unit="ms"),
        Figure(name="event to row, p99", size=size, value=cuts[98] * 1000, unit="ms", budget=budget),
    ]


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entities", type=int, nargs="+", default=[0, 20_000], help="beside the demo home")
    given = parser.parse_args()
    publish("event_to_row", [figure for number in given.entities for figure in figures_of(number)])


if __name__ == "__main__":
    main()
