"""Reaching a real InfluxDB 1.6.7: permissions, TLS, wires, wrong buckets, and the doctor's findings."""

import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from engine.errors import ReplicaRejected
from engine.replicas.influx.doctor import check_server
from engine.replicas.influx.open import open_wire
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.records import InfluxRecords
from engine.replicas.influx.wires.failures import BatchRefused, BatchTooLarge
from engine.replicas.influx.wires.http import Credentials
from engine.secret import Secret
from tests.availability import skip_or_fail
from tests.real.influxdb import ADMIN, DATABASE, InfluxServer


@pytest.mark.parametrize(
    ("path", "reported"),
    [
        ("nowhere", r"Create the bucket or database"),
        (f"{DATABASE}/nope", r"influxdb://HOST/DATABASE/POLICY"),
    ],
)
def test_a_wrong_bucket_is_reported_and_no_empty_home(
    influxdb: InfluxServer, path: str, reported: str
) -> None:
    uri = f"influxdb://127.0.0.1:{influxdb.port}/{path}?wire=v1"
    wire = open_wire(uri, Credentials(), timeout_seconds=60)
    if path == "nowhere":
        replica = InfluxRecords(
            wire, InfluxOptions(site="home"), outbox=None, clock=time.time, sleep=lambda _: None
        )
        with pytest.raises(ReplicaRejected, match=reported):
            replica.observe()
    else:
        with pytest.raises(ReplicaRejected, match=reported):
            wire.write(b"m,site=a f=1i 5")
    wire.close()


def test_what_the_server_refuses_is_distinguished(influxdb: InfluxServer) -> None:
    wire = open_wire(influxdb.uri, Credentials(), timeout_seconds=60)
    with pytest.raises(BatchRefused, match="unable to parse"):
        wire.write(b"no line\nfine,site=x f=1i 5")
    with pytest.raises(BatchTooLarge):  # by what travels: it does not shrink
        wire.write(b"# " + random.Random(5).randbytes(26_000_000).replace(b"\n", b" "))
    wire.write(b"fine,site=x f=1i 5")  # the connection is usable again
    wire.close()


def test_flux_is_not_there_and_the_wire_is_named(influxdb: InfluxServer) -> None:
    wire = open_wire(influxdb.uri.replace("v1", "v2"), Credentials(), timeout_seconds=60)
    with pytest.raises(ReplicaRejected, match="use wire=v1"):
        wire.write(b"m,site=a f=1i 5")
    wire.close()


def test_auto_finds_wire_v1(influxdb: InfluxServer) -> None:
    wire = open_wire(influxdb.uri.replace("v1", "auto"), Credentials(), timeout_seconds=60)
    server = wire.probe()
    assert (server.version, server.wire) == ("1.6.7~rc0", "v1")
    assert "1.6.7" in server.note
    assert server.at is not None
    assert abs(server.at - time.time()) < 30
    assert wire.retention_seconds() == 0
    assert wire.started()
    wire.close()


@pytest.mark.parametrize(
    ("name", "password", "found"),
    [
        ("admin", ADMIN.password.reveal(), {"read": "ok", "write": "ok"}),
        ("reader", "reader", {"read": "ok", "write": "failed"}),
        ("writer", "writer", {"read": "failed", "write": "ok"}),
        ("nobody", "nobody", {"read": "failed", "write": "failed"}),
        ("reader", "wrong", {"read": "failed", "write": "failed"}),
        ("", "", {"read": "failed", "write": "failed"}),
    ],
)
def test_read_and_write_permission_are_distinguished(
    guarded_influxdb: InfluxServer, name: str, password: str, found: dict[str, str]
) -> None:
    wire = open_wire(
        guarded_influxdb.uri, Credentials(username=name, password=Secret(password)), timeout_seconds=60
    )
    checks = check_server(wire, site="home", refresh_wanted_seconds=432_000, clock=time.time)
    assert {c.name: c.status for c in checks if c.name in found} == found
    text = repr(checks) + repr(wire)
    assert password in ("", name) or password not in text
    replica = InfluxRecords(
        wire, InfluxOptions(site="home"), outbox=None, clock=time.time, sleep=lambda _: None
    )
    if found["read"] == "failed":
        with pytest.raises(ReplicaRejected):
            replica.observe()  # and never an empty home
    wire.close()


def test_the_doctor_finds_nothing_wrong_and_writes_nothing(own_influxdb: InfluxServer) -> None:
    wire = open_wire(own_influxdb.uri, Credentials(), timeout_seconds=60)
    checks = check_server(wire, site="home", refresh_wanted_seconds=432_000, clock=time.time)
    assert [(c.name, c.status) for c in checks] == [
        (name, "ok") for name in ("server", "read", "write", "retention", "clock", "types", "future points")
    ]
    assert own_influxdb.query("SHOW MEASUREMENTS") == []
    own_influxdb.query(f"ALTER RETENTION POLICY autogen ON {DATABASE} DURATION 2h SHARD DURATION 1h")
    checks = check_server(wire, site="home", refresh_wanted_seconds=432_000, clock=lambda: time.time() + 100)
    assert {c.name: c.status for c in checks if c.name in ("retention", "clock")} == {
        "retention": "failed",
        "clock": "failed",
    }
    wire.close()


def make_certificate(folder: Path, *more: str) -> None:
    """A certificate for localhost that no authority signed, with its key in the same file."""
    openssl = shutil.which("openssl") or skip_or_fail("no openssl")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    command += [
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
        *more,
    ]
    subprocess.run(command, check=True, capture_output=True)


def test_tls_works_and_its_failures_name_the_setting_to_change(
    own_influxdb: InfluxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_certificate(own_influxdb.folder)
    files = own_influxdb.folder
    own_influxdb.configure(
        "[http]",
        f'[http]\n  https-enabled = true\n  https-certificate = "{files}/certificate.pem"\n'
        f'  https-private-key = "{files}/key.pem"',
    )
    port = own_influxdb.port
    cases = [
        (
            f"influxdbs://localhost:{port}/{DATABASE}?wire=",
            r"certificate is not accepted.*SSL_CERT_FILE|TLS failed",
        ),
        (f"influxdb://localhost:{port}/{DATABASE}?wire=", r"influxdbs://"),
    ]
    for uri, reported in cases:
        for name in ("v1", "v2"):
            wire = open_wire(uri + name, Credentials(), timeout_seconds=60)
            with pytest.raises(ReplicaRejected, match=reported):
                wire.write(b"m,site=a f=1i 5")
            wire.close()
    monkeypatch.setenv("SSL_CERT_FILE", str(files / "certificate.pem"))
    wire = open_wire(cases[0][0] + "v1", Credentials(), timeout_seconds=60)
    wire.write(b"m,site=a f=1i 5")
    wire.close()
    for name in ("v1", "v2"):
        wire = open_wire(
            f"influxdbs://127.0.0.1:{port}/{DATABASE}?wire={name}", Credentials(), timeout_seconds=60
        )
        with pytest.raises(
            ReplicaRejected, match=r"certificate is not accepted.*name|TLS failed.*127\.0\.0\.1"
        ):
            wire.write(b"m,site=a f=1i 5")
        wire.close()
