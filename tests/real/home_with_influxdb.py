"""A recorded Home Assistant that changes, the service over it, and a real InfluxDB behind a proxy that meddles with batches."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import apsw

from engine.core.home.snapshot import Snapshot
from engine.replicas.influx.open import open_wire
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.outbox import open_outbox
from engine.replicas.influx.records import InfluxRecords
from engine.replicas.influx.wires.http import Credentials
from engine.sources.files.capture import CaptureSource
from tests.kill.scenarios import SAMPLE, change_one_percent
from tests.real.influxdb import DATABASE, InfluxServer
from tests.real.influxdb2 import ORG, InfluxServer2
from tests.real.tcp_proxy import UP, TcpProxy
from tests.real.watched_service import WatchedService


class Home:
    """Home Assistant as recorded command results that change, and an InfluxDB behind a proxy."""

    def __init__(self, folder: Path, server: InfluxServer | InfluxServer2, proxy: TcpProxy) -> None:
        self.folder = self.stores = folder
        self.server = server
        self.proxy = proxy
        shutil.copytree(SAMPLE, folder / "source")
        wire = f"org={ORG}&wire=v2" if isinstance(server, InfluxServer2) else "wire=v1"
        self._records = f"influxdb://127.0.0.1:{proxy.port}/{DATABASE}?{wire}"

    def serve(self) -> WatchedService:
        environ = {"RECONCILE_LOOP__POLL_SECONDS": "0.1"}
        if isinstance(self.server, InfluxServer2):
            environ["RECONCILE_RECORDS__TOKEN"] = self.server.credentials.token.reveal()
        source = f"capture:{self.folder / 'source'}"
        return WatchedService(self.stores, "--records", self._records, source=source, **environ)

    def change(self) -> None:
        change_one_percent(self.folder / "source")

    def desired(self) -> Snapshot:
        return anyio.run(CaptureSource(self.folder / "source").read, lambda *_: None)

    def revisions(self) -> dict[str, list[int]]:
        """The numbers of all revisions, by record; what is held is checked against Home Assistant."""
        credentials = self.server.credentials if isinstance(self.server, InfluxServer2) else Credentials()
        outbox = open_outbox("influxdb", self.stores / "rows.db.outbox")
        assert outbox.pending("influxdb") == []
        wire = open_wire(self.server.uri, credentials, timeout_seconds=30)
        options = InfluxOptions(site="home", read_only=True)
        records = InfluxRecords(wire, options, outbox=outbox, clock=time.time, sleep=time.sleep)
        try:
            held = records.observe(verify=True).versions
            assert held == self.desired().home.hashes
            return {str(key): [revision.rev for revision in records.timeline(key)] for key in held}
        finally:
            records.close()

    def rows(self) -> int:
        connection = apsw.Connection(str(self.stores / "rows.db"), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            [(count,)] = connection.execute("SELECT count(*) FROM reconcile_applied WHERE replica = 'sqlite'")
            assert isinstance(count, int)
            return count
        finally:
            connection.close()


class Batches:
    """Recognises batches of records among the requests through the proxy, and lets a test change them."""

    def __init__(self, proxy: TcpProxy) -> None:
        self.meddle: Callable[[str, int, bytes], int | None] | None = None
        self.count = 0
        self._is_batch = False
        self._passed = 0
        proxy.decide = self._decide

    def _decide(self, direction: str, data: bytes) -> int | None:
        # One connection, one request at a time. Markers are one short line in a request of their own.
        if direction == UP and data.startswith((b"POST", b"GET")):
            self._is_batch = b"write?" in data.partition(b"\r\n")[0] and b"ha_run" not in data
            self._passed = 0
            self.count += self._is_batch
        if not self._is_batch or self.meddle is None:
            return None
        before = self._passed
        self._passed += len(data) * (direction == UP)
        return self.meddle(direction, before, data)
