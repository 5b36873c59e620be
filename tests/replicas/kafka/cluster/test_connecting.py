"""Why no connection succeeds: listeners with the wrong certificate, or without TLS."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from engine.replicas.kafka.address import parse_address
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.connecting import examine_connection
from tests.real.kafka_secured import make_authority, make_certificate


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_authority(folder, "ca")
    make_authority(folder, "other")
    make_certificate(folder, "good")
    make_certificate(folder, "expired", -1)
    return folder


@contextmanager
def listener(certificate: Path | None) -> Iterator[str]:
    """A server that accepts connections, with TLS or without, and does not speak Kafka's protocol."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate is not None:
        context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, suppress(OSError):
                        if certificate is None:
                            connection.sendall(b"no TLS")
                        else:
                            context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def access(uri: str, **properties: str) -> Access:
    named = {name.replace("_", "."): value for name, value in properties.items()}
    return Access(parse_address(uri, "fleet.brokers"), properties=named)


def found(access: Access, said: str = "its words") -> tuple[str, str]:
    finding = examine_connection(access, said)
    return ("", "") if finding is None else finding


@pytest.mark.slow
def test_each_kind_of_certificate_has_a_sentence_of_its_own(certificates: Path) -> None:
    authority, other = str(certificates / "ca.pem"), str(certificates / "other.pem")
    with listener(certificates / "expired.pem") as server:
        expired = found(access(f"kafkas://{server}", ssl_ca_location=authority))
        assert expired == (
            f"the certificate of {server} is not valid at this time (certificate has expired)",
            "Renew it, or correct the clock.",
        )
    with listener(certificates / "good.pem") as server:
        assert found(access(f"kafkas://{server}", ssl_ca_location=authority)) == ("", "")
        assert found(access(f"kafkas://{server}", ssl_ca_location=other))[0] == (
            f"the certificate of {server} is not signed by an authority in {other}"
        )
        assert "the system's authorities" in found(access(f"kafkas://{server}"))[0]
        by_name = f"localhost:{server.partition(':')[2]}"
        reason, advice = found(access(f"kafkas://{by_name}", ssl_ca_location=authority))
        assert reason == f"the certificate of {by_name} is for another name"
        assert "fleet.brokers" in advice
        off = {"ssl.endpoint.identification.algorithm": "none", "ssl.ca.location": authority}
        assert found(access(f"kafkas://{by_name}", **off)) == ("", "")
        unchecked = {"enable.ssl.certificate.verification": "false"}
        assert found(access(f"kafkas://{server}", **unchecked)) == ("", "")


def test_a_mismatch_of_tls_between_address_and_listener_is_explained(certificates: Path) -> None:
    with listener(None) as server:
        reason, advice = found(access(f"kafkas://{server}"))
        assert reason == f"{server} is a listener without TLS"
        assert advice.startswith("Write kafka:// before the brokers in fleet.brokers")
        assert found(access(f"kafka://{server}")) == ("", "")
    with listener(certificates / "good.pem") as server:
        reason, advice = found(access(f"kafka://{server}"))
        assert reason == f"{server} is a listener with TLS"
        assert advice == "Write kafkas:// before the brokers in fleet.brokers."


def test_the_broker_that_the_client_speaks_of_is_looked_at(certificates: Path) -> None:
    with listener(certificates / "expired.pem") as server:
        several = access("kafkas://127.0.0.1:1", ssl_ca_location=str(certificates / "ca.pem"))
        assert found(several) == ("", "")  # no server listens there
        assert server in found(several, f"sasl_ssl://{server}/2: SSL handshake failed")[0]


@pytest.mark.parametrize("server", ["127.0.0.1:1", "[::1]:1", "no-such-host.invalid:9093"])
def test_an_unreachable_server_is_left_to_the_client_to_report(server: str) -> None:
    assert found(access(f"kafkas://{server}")) == ("", "")
    assert found(access(f"kafka://{server}")) == ("", "")
