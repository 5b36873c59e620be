"""Opens InfluxDB from settings: the configured wire, or one that fits the server, and the replica on it.

Connects to nothing: an unreachable server must not prevent serving the other replica.
"""

import random
import time
from collections.abc import Callable

from engine.replicas.influx.options import InfluxOptions, OwnOutbox
from engine.replicas.influx.records import InfluxRecords
from engine.replicas.influx.wires.address import Address, parse_address
from engine.replicas.influx.wires.http import Credentials, HttpClient
from engine.replicas.influx.wires.mapped import MappedWire
from engine.replicas.influx.wires.v1 import WireV1, probe_server
from engine.replicas.influx.wires.wire import ForwardingWire, Server, Wire


class AutoWire(ForwardingWire):
    """A `Wire` that asks the server for its API at the first use, and then uses that one."""

    def __init__(self, address: Address, credentials: Credentials, *, timeout_seconds: float) -> None:
        self._address = address
        self._credentials = credentials
        self._timeout_seconds = timeout_seconds
        self._chosen: Wire | None = None
        self._note = ""

    @property
    def name(self) -> str:
        """v1 or v2 once chosen; auto before that."""
        return self._chosen.name if self._chosen is not None else "auto"

    def probe(self) -> Server:
        """Ask the server for its version; the note gives the reason for this wire."""
        server = self._wire().probe()
        return Server(server.version, server.wire, server.at, self._note)

    def close(self) -> None:
        """See `Wire`."""
        if self._chosen is not None:
            self._chosen.close()

    def _wire(self) -> Wire:
        if self._chosen is None:
            client = HttpClient(self._address, self._credentials, timeout_seconds=self._timeout_seconds)
            try:
                version = probe_server(client, "auto").version
            finally:
                client.close()
            name, self._note = choose_wire(version, self._address.org)
            self._chosen = self._make(name, version)
        return self._chosen

    def _make(self, name: str, version: str) -> Wire:
        wire, v1 = (
            _make_wire(each, self._address, self._credentials, self._timeout_seconds, version)
            for each in (name, "v1")
        )
        return MappedWire(wire, v1) if name == "v2" else wire


def choose_wire(version: str, org: str) -> tuple[str, str]:
    """The wire for a server of this version ("" when unknown), and the reason."""
    named = f"InfluxDB {version}" if version else "a server that does not report its version"
    if version.startswith(("0.", "1.")):
        return "v1", f"found {named}: InfluxQL (wire v1) works on every 1.x"
    if version.startswith("2.") or not version:
        if org:
            return "v2", (
                f"found {named}, and org is given: Flux (wire v2), and InfluxQL for large reads where it answers the same"
            )
        return "v1", f"found {named}, and no org is given: InfluxQL (wire v1)"
    return "v1", f"found {named}: it has no Flux, so InfluxQL (wire v1)"


def open_wire(uri: str, credentials: Credentials, *, timeout_seconds: float) -> Wire:
    """The wire of `records.uri`, not yet connected. Raises SettingsError."""
    address = parse_address(uri)
    if address.wire == "auto":
        return AutoWire(address, credentials, timeout_seconds=timeout_seconds)
    return _make_wire(address.wire, address, credentials, timeout_seconds)


def open_influx(
    uri: str,
    credentials: Credentials,
    options: InfluxOptions,
    *,
    outbox: OwnOutbox | None,
    timeout_seconds: float = 30.0,
    clock: Callable[[], float] = time.time,
) -> InfluxRecords:
    """The records replica that `uri` names, not yet connected. Raises SettingsError."""
    wire = open_wire(uri, credentials, timeout_seconds=timeout_seconds)
    return InfluxRecords(wire, options, outbox=outbox, clock=clock, sleep=time.sleep)


def random_slot() -> int:
    """A writer's slot; two writers at once are a mistake, but must not overwrite each other's points."""
    return random.SystemRandom().randrange(1000)


def _make_wire(
    name: str, address: Address, credentials: Credentials, timeout_seconds: float, version: str = ""
) -> Wire:
    if name == "v2":
        # Imported here: the client library takes longer to load than a pass without changes.
        from engine.replicas.influx.wires.v2 import WireV2  # noqa: PLC0415

        return WireV2(address, credentials, timeout_seconds=timeout_seconds)
    return WireV1(address, credentials, timeout_seconds=timeout_seconds, version=version)
