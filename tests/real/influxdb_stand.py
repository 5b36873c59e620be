"""The InfluxDB replica on a real server, and what belongs to it."""

import time
from pathlib import Path
from typing import Any, Generic, TypeVar

from engine.core.records.record import Record
from engine.replicas.influx.open import open_wire
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.outbox import SqliteOutbox, open_outbox
from engine.replicas.influx.records import InfluxRecords
from engine.replicas.influx.wires.http import Credentials
from engine.replicas.rows.replica import SqliteRows, open_rows
from tests.homes import NOON, snapshot
from tests.real.influxdb import InfluxServer
from tests.real.influxdb2 import InfluxServer2
from tests.replicas.passes import one_pass, run_of

Server = TypeVar("Server", InfluxServer, InfluxServer2)


class AnyStand(Generic[Server]):
    """A replica on a server of either generation, and what belongs to it."""

    def __init__(
        self,
        server: Server,
        folder: Path,
        site: str,
        credentials: Credentials = Credentials(),  # noqa: B008 (frozen)
    ) -> None:
        self.server: Server = server
        self.site = site
        self.wire: Any = open_wire(server.uri, credentials, timeout_seconds=60)
        self.rows: SqliteRows = open_rows(folder / "rows.db")
        self.outbox: SqliteOutbox = open_outbox("influxdb", folder / "rows.db.outbox")
        self.replica = self.fresh()

    def fresh(self) -> InfluxRecords:
        """The replica as a new process opens it."""
        options = InfluxOptions(site=self.site)
        return InfluxRecords(self.wire, options, outbox=self.outbox, clock=time.time, sleep=lambda _: None)

    def reconcile(self, *records: Record, at: float = NOON) -> None:
        one_pass(self.replica, self.rows, snapshot(*records), at=at)
        assert self.replica.observe(verify=True).versions == snapshot(*records).home.hashes

    def catch_up(self, *records: Record) -> None:
        """Start the killed server again: a new process sends what waits, and the same bytes make the home whole."""
        assert self.outbox.pending("influxdb")
        self.server.start()
        self.replica = self.fresh()
        self.replica.upkeep(snapshot(*records), run_of(self.replica, snapshot(*records)))
        assert self.outbox.pending("influxdb") == []
        assert self.replica.observe().versions == snapshot(*records).home.hashes

    def close(self) -> None:
        self.wire.close()
        self.rows.close()
        self.outbox.close()


class Stand(AnyStand[InfluxServer]):
    """A replica on an InfluxDB 1.x."""
