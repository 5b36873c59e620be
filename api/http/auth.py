"""Authentication: accepts requests from Home Assistant's ingress, with the token, or, if no token is set, from this machine.

Without a token a request must come from this machine and address it by a loopback name. The second condition
prevents DNS rebinding: a foreign page in a browser here may point its own host name at 127.0.0.1 and could then
read the answers, but the browser still sends that name in Host.
"""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.problems import Problem

OPEN_PATHS = frozenset({"/healthz"})  # no token required

# RFC 9110, 7.2: a name, an IPv4 address or a bracketed IPv6 address, and optionally a port.
_HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:/@\s]+))(?::\d{0,5})?")
_REALM = 'realm="ha-reconcile", charset="UTF-8"'


@dataclass(frozen=True, kw_only=True)
class AccessRules:
    """The access rules. `hosts`: further host names of this machine. `trusted_peers`: addresses of proxies that authenticate
    requests themselves. `admits_all`: accept every request, under any host name; no effect with a token.
    """

    token: str | None = field(default=None, repr=False)
    hosts: frozenset[str] = frozenset()
    trusted_peers: frozenset[str] = frozenset()
    admits_all: bool = False


class AuthMiddleware:
    """Passes on accepted requests, and answers 401, 403 or 421 to others."""

    def __init__(self, app: ASGIApp, access: AccessRules) -> None:
        self._app = app
        self._access = access
        self._token = (access.token or "").encode()
        self._hosts = frozenset(host.removesuffix(".").casefold() for host in access.hosts)
        self._peers = frozenset(_address(peer) for peer in access.trusted_peers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer with a problem."""
        problem = self._problem(scope) if scope["type"] == "http" else None
        await (problem.response(scope["path"]) if problem else self._app)(scope, receive, send)

    def _problem(self, scope: Scope) -> Problem | None:
        peer = _address(scope["client"][0]) if scope.get("client") else None
        if peer in self._peers:
            return None
        if self._token:
            return (
                None if scope["path"] in OPEN_PATHS or self._has_valid_token(scope) else _unauthorized(scope)
            )
        if self._access.admits_all:
            return None
        if peer is not None and not _is_loopback(peer):
            return Problem(403, "Only this machine is answered. Set http.token_file to let others in.")
        return self._misdirected(scope)

    def _has_valid_token(self, scope: Scope) -> bool:
        # In constant time, so that the response time reveals nothing.
        return hmac.compare_digest(presented_token(scope), self._token)

    def _misdirected(self, scope: Scope) -> Problem | None:
        values = _values(scope, b"host")
        host = values[0].decode("latin-1") if len(values) == 1 else ""
        name = _name(host)
        if name == "localhost" or name in self._hosts or _is_loopback(name):
            return None
        return Problem(
            421,
            f"Without a token, this service answers only as localhost, not as {host[:255]!r}. If that is a name "
            "of this machine, list it in http.hosts; or set http.token_file.",
        )


def presented_token(scope: Scope) -> bytes:
    """The token of a request; empty without one."""
    values = _values(scope, b"authorization")
    scheme, _, given = values[0].partition(b" ") if len(values) == 1 else (b"", b"", b"")
    token = given.strip()
    if scheme.lower() == b"basic":
        token = _password(token)
    elif scheme.lower() != b"bearer":
        token = b""
    return token


def _values(scope: Scope, wanted: bytes) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == wanted]


def _password(encoded: bytes) -> bytes:
    """The password of Basic credentials, with any user name: browsers can prompt for no other kind."""
    try:
        return base64.b64decode(encoded, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def _unauthorized(scope: Scope) -> Problem:
    # Only for browsers, which then prompt the user.
    is_api = scope["path"].startswith("/api/") or scope["path"] == "/metrics"
    return Problem(
        401,
        "Send the token of this service as Authorization: Bearer, or as the password of Basic.",
        headers={"www-authenticate": "Bearer" if is_api else f"Basic {_REALM}"},
    )


def _name(host: str) -> str:
    """The name in a Host field in lower case, without port, brackets and trailing dot; empty if the field is malformed."""
    found = _HOST.fullmatch(host)
    return (found["address"] or found["name"]).removesuffix(".").casefold() if found else ""


def _address(text: str) -> str:
    """An address in its usual form; an IPv4 address mapped to IPv6 as IPv4."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _is_loopback(text: str) -> bool:
    try:
        return ip_address(_address(text)).is_loopback
    except ValueError:
        return False
