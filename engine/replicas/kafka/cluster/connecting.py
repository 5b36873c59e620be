"""Finds out why no connection to a broker succeeds, by opening its own connection.

librdkafka does not distinguish an expired certificate from an unknown authority, or a listener with TLS from a silent one.
This is used only after a failure, while no broker has answered yet, and sends nothing but a TLS handshake.
"""

import re
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from engine.replicas.kafka.cluster.access import Access

_SECONDS_MAX = 2.0
_BROKER = re.compile(r"ssl://(.+?)/")
# X509_verify_cert_error_string's numbers (OpenSSL 3).
_EXPIRED = frozenset({9, 10})
_OTHER_NAME = frozenset({62, 64})
_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})


class Finding(NamedTuple):
    """`reason` completes a sentence; `advice` is a whole sentence."""

    reason: str
    advice: str


def examine_connection(access: Access, said: str) -> Finding | None:
    """Why a client cannot connect to the broker that librdkafka named, or the first one; None if TLS is not the reason."""
    named = _BROKER.search(said)
    server = named[1] if named else access.address.servers[0]
    host, _, port = server.rpartition(":")
    context = _context(access)
    if context is None:
        return None
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), _SECONDS_MAX) as plain,
            context.wrap_socket(plain, server_hostname=host.strip("[]")),
        ):
            return None if access.is_tls else _speaks_tls(server, access)
    except ssl.SSLCertVerificationError as error:
        return _refused(error, server, access)
    except ssl.SSLError:
        return _speaks_no_tls(server, access) if access.is_tls else None
    except (OSError, ValueError):
        return None


def _context(access: Access) -> ssl.SSLContext | None:
    """The same certificate check as librdkafka's; None if that makes none, or its own message is better."""
    properties = access.properties
    context = ssl.create_default_context()
    if not access.is_tls:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    if properties.get("enable.ssl.certificate.verification") == "false" or "ssl.ca.pem" in properties:
        return None
    context.check_hostname = properties.get("ssl.endpoint.identification.algorithm") != "none"
    if (place := properties.get("ssl.ca.location", "probe")) != "probe":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if context.check_hostname else _nameless()
        with suppress(OSError):
            folder = Path(place).is_dir()
            context.load_verify_locations(None if folder else place, place if folder else None)
    return context


def _nameless() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    return context


def _refused(error: ssl.SSLCertVerificationError, server: str, access: Access) -> Finding:
    setting = access.address.setting
    if error.verify_code in _EXPIRED:
        return Finding(
            f"the certificate of {server} is not valid at this time ({error.verify_message})",
            "Renew it, or correct the clock.",
        )
    if error.verify_code in _OTHER_NAME:
        return Finding(
            f"the certificate of {server} is for another name",
            f"Name the broker as its certificate does, in {setting} and in its own advertised.listeners.",
        )
    if error.verify_code in _UNKNOWN_AUTHORITY:
        place = access.properties.get("ssl.ca.location", "the system's authorities")
        return Finding(
            f"the certificate of {server} is not signed by an authority in {place}",
            "Name the authority's certificate as ssl.ca.location in records.properties_file.",
        )
    return Finding(f"the certificate of {server} is refused ({error.verify_message})", "Renew it.")


def _speaks_tls(server: str, access: Access) -> Finding:
    return Finding(
        f"{server} is a listener with TLS", f"Write kafkas:// before the brokers in {access.address.setting}."
    )


def _speaks_no_tls(server: str, access: Access) -> Finding:
    return Finding(
        f"{server} is a listener without TLS",
        f"Write kafka:// before the brokers in {access.address.setting}, or the port of the listener with TLS behind them.",
    )
