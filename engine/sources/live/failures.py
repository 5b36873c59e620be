"""Translates failures of the connection to Home Assistant's websocket into the engine's errors.

Turns an exception of `websockets`, TLS or the operating system into one SourceError that names the attempted
action, the address and the setting to change. It must not raise, retry or log; callers chain the original with
`from`.
"""

import os
import socket
import ssl
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus, WebSocketException
from websockets.frames import CloseCode

from engine.errors import SourceError, SourceInvalid, SourceRefused, SourceUnavailable

_NOT_HOME_ASSISTANT = (
    "Check the host, port and path in source.uri; the path is normally /api/websocket, so leave out what a "
    "browser shows behind the port."
)
_STOPPING = "It may be stopping or restarting, or have dropped us for reading too slowly."


def connect_failure(error: OSError | WebSocketException, uri: str, timeout_seconds: float) -> SourceError:
    """Returns the error for a websocket to `uri` that could not be opened within `timeout_seconds`."""
    if isinstance(error, InvalidStatus):
        return _http_failure(error.response.status_code, error.response.headers.get("Location", ""), uri)
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        return _tls_failure(error, uri)
    if isinstance(error, TimeoutError):
        return SourceUnavailable(
            f"{uri} did not complete the opening handshake within {timeout_seconds:g} s.",
            "Check that source.uri names Home Assistant's host and port and that no firewall is between.",
        )
    if isinstance(error, socket.gaierror):
        return SourceUnavailable(
            f"The host name in {uri} could not be looked up: {error.strerror}.", _lookup_hint(uri)
        )
    if isinstance(error, ConnectionResetError | ConnectionAbortedError) or _is_hang_up(error):
        return SourceUnavailable(
            f"{uri} closed the connection without answering.",
            f"It may be starting; if it stays so, {_other_scheme(uri)}",
        )
    if isinstance(error, OSError):
        port = "" if urlsplit(uri).port else " It names no port: most installations listen on 8123."
        return SourceUnavailable(
            f"Could not connect to {uri}: {_reason(error)}.",
            f"Check that Home Assistant is running and that source.uri names its host and port.{port}",
        )
    return SourceInvalid(f"{uri} does not speak the websocket protocol: {error}.", _NOT_HOME_ASSISTANT)


def login_timeout(uri: str, timeout_seconds: float) -> SourceError:
    """Returns the error for a `uri` that opened a websocket but did not complete the login."""
    return SourceUnavailable(
        f"{uri} opened a websocket but did not complete the login within {timeout_seconds:g} s.",
        "Home Assistant may be overloaded; if it stays so, check that source.uri names a Home Assistant.",
    )


def command_timeout(uri: str, command_type: str, timeout_seconds: float) -> SourceError:
    """Returns the error for a command that was not answered in time."""
    return SourceUnavailable(
        f"{uri} did not answer {command_type} within {timeout_seconds:g} s.",
        "Home Assistant may be busy adding or removing integrations.",
    )


def closed_failure(error: ConnectionClosed, uri: str, doing: str, message_bytes_max: int) -> SourceError:
    """Returns the error for an open connection to `uri` that ended while we were `doing` something."""
    ours = error.sent if error.sent is not None and not error.rcvd_then_sent else None
    if ours is not None and ours.code == CloseCode.MESSAGE_TOO_BIG:
        return SourceInvalid(
            f"{uri} sent a message of more than {message_bytes_max} bytes while {doing}.",
            f"To allow this, raise source.message_bytes_max (now {message_bytes_max}).",
        )
    if ours is not None and ours.code in (CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA):
        return SourceInvalid(
            f"{uri} broke the websocket protocol while {doing}: {ours.reason}.", _NOT_HOME_ASSISTANT
        )
    if ours is not None and ours.code == CloseCode.INTERNAL_ERROR:
        return SourceUnavailable(
            f"{uri} stopped answering while {doing}: {ours.reason}.",
            "Check the network, and Home Assistant's load.",
        )
    if error.rcvd is None:
        return SourceUnavailable(f"The connection to {uri} broke while {doing}.", _STOPPING)
    return SourceUnavailable(
        f"{uri} closed the connection while {doing} (close code {error.rcvd.code}).", _STOPPING
    )


def _lookup_hint(uri: str) -> str:
    host = urlsplit(uri).hostname or ""
    if host.endswith(".local"):
        # mDNS; containers and most servers have no resolver for it, even if a browser on the same network does.
        return (
            "Names that end in .local are found by multicast DNS, which containers and many servers lack: let "
            "source.uri name the IP address (Home Assistant shows it in Settings, System, Network)."
        )
    if host == "supervisor":
        return (
            "Only Home Assistant apps know the name supervisor; elsewhere let source.uri name Home Assistant."
        )
    return "Check the name in source.uri, or use the IP address instead."


def _reason(error: OSError) -> str:
    # asyncio replaces the system's text for the error number by its own, which repeats the address.
    return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__


def _is_hang_up(error: Exception) -> bool:
    # How websockets and the TLS layer report a connection that ended without an answer.
    at_end = isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError)
    return at_end or isinstance(error, ssl.SSLEOFError)


def _http_failure(status: int, location: str, uri: str) -> SourceError:
    answered = f"{uri} answered HTTP {status} instead of opening a websocket"
    if status in (401, 403):
        refused = SourceRefused(
            f"{answered}: it refuses access.",
            "Home Assistant may have banned this address after failed logins: look into its ip_bans.yaml. "
            "A proxy in front of it may require its own login: let source.uri name Home Assistant itself.",
        )
        refused.is_login = False  # no token was sent; a proxy may answer so while what it asks is down
        return refused
    if 300 <= status < 400:
        # Not followed: the token would go to the address in the answer.
        where = location.partition("?")[0]
        return SourceInvalid(f"{answered}, and points to {where!r}.", "Set source.uri to the final address.")
    if status == 400:
        return SourceInvalid(
            f"{answered}.",
            "If a proxy stands in front, add it to http.trusted_proxies in Home Assistant; "
            f"else {_other_scheme(uri)}",
        )
    if status >= 400:
        # 404 too: some proxies answer with it when the server behind them is down.
        hint = "A proxy or the Supervisor is up, but Home Assistant behind it is down, starting or updating."
        return SourceUnavailable(
            f"{answered}.", hint if status >= 500 else f"{hint} If it stays so: {_NOT_HOME_ASSISTANT}"
        )
    return SourceInvalid(f"{answered}: this is not a Home Assistant.", _NOT_HOME_ASSISTANT)


def _tls_failure(error: ssl.SSLError, uri: str) -> SourceError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return SourceInvalid(
            f"{uri} showed a certificate that cannot be trusted: {error.verify_message.rstrip('.')}.",
            "Use the host name that the certificate was made for in source.uri, and for a self-signed "
            "certificate name its file in the environment variable SSL_CERT_FILE.",
        )
    return SourceInvalid(
        f"{uri} could not agree on TLS: {error.reason or error}.", f"To repair this, {_other_scheme(uri)}"
    )


def _other_scheme(uri: str) -> str:
    if uri.startswith("wss:"):
        return "check whether the port speaks TLS; if it does not, use ws:// in source.uri."
    return "check whether the port speaks TLS; if it does, use wss:// in source.uri."
