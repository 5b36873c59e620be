"""The InfluxDB replica on a wire in memory, with its ledger and clock."""

from pathlib import Path

from engine.core.records.record import Record
from engine.ports import Run
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.outbox import SqliteOutbox, open_outbox
from engine.replicas.influx.records import InfluxRecords
from engine.replicas.rows.replica import SqliteRows, open_rows
from tests.fakes.influxdb import MemoryWire, parse_line
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import one_pass

DAY = 86_400
HOME = (ENTRY, device(1), entity(1), entity(2))


class Stand:
    def __init__(self, folder: Path) -> None:
        self.now = NOON
        self.wire = MemoryWire(lambda: self.now)
        self.rows: SqliteRows = open_rows(folder / "rows.db")
        self.outbox: SqliteOutbox = open_outbox("influxdb", folder / "rows.db.outbox")
        self.replica = self.fresh()

    def fresh(self, **options: object) -> InfluxRecords:
        given = InfluxOptions(**{"site": "home", **options})  # type: ignore[arg-type]  # tests give options by name
        return InfluxRecords(
            self.wire, given, outbox=self.outbox, clock=lambda: self.now, sleep=lambda _seconds: None
        )

    def reconcile(self, *records: Record, after: float = 0.0) -> None:
        """A pass, `after` seconds later."""
        self.now += after
        desired = snapshot(*records)
        one_pass(self.replica, self.rows, desired, at=self.now)
        self.replica.upkeep(desired, self.run())
        assert self.replica.observe().versions == desired.home.hashes

    def run(self) -> Run:
        return Run("run", self.now, "test", "2026.11.0")

    def ops(self) -> list[str]:
        return [
            str(parse_line(line)[2]["op"]) for line in self.wire.lines() if not line.startswith(b"ha_run")
        ]

    def markers(self) -> list[dict[str, object]]:
        return [{**parse_line(line)[2]} for line in self.wire.lines(b"ha_run")]
