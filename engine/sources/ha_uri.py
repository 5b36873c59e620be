"""Where Home Assistant's websocket is, from what a user wrote. Pure; decides nothing by looking at the
network.

Invariant: an accepted URI holds no secret (no user, password, query or fragment), so it may be logged and
served.
"""

from urllib.parse import SplitResult, urlsplit

from engine.errors import SettingsError

WEBSOCKET_PATH = "/api/websocket"
_SCHEMES = {"ws": "ws", "http": "ws", "wss": "wss", "https": "wss"}
_HINT = "Write source.uri as ws://HOST:8123 or, with TLS, wss://HOST."


def websocket_uri(uri: str) -> str:
    """Returns the ws:// or wss:// address of the websocket that `uri` means.

    http becomes ws and https becomes wss; a missing path becomes /api/websocket and any other path is kept,
    since the Supervisor's is /core/websocket. A missing port stays missing, which means 80 or 443: Home
    Assistant's own port is 8123, 80 under newer Supervisors, 443 behind a reverse proxy, so every guess is
    wrong for someone.

    Raises SettingsError, without repeating the value, when it could hold a secret or is no such address.
    """
    if any(character.isspace() or not character.isprintable() for character in uri):
        raise SettingsError("source.uri holds white space or control characters.", _HINT)
    parts = _split(uri)
    if "@" in parts.netloc:
        raise SettingsError(
            "source.uri holds a user name or password.",
            "Remove everything before the @; the access token belongs into source.token_file.",
        )
    if parts.query or parts.fragment:
        raise SettingsError(
            "source.uri holds a query or a fragment (? or #).",
            "Remove it; the access token belongs into source.token_file.",
        )
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None:
        raise SettingsError("source.uri does not begin with ws://, wss://, http:// or https://.", _HINT)
    path = WEBSOCKET_PATH if parts.path in ("", "/") else parts.path
    return f"{scheme}://{parts.netloc}{path}"


def _split(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        host, _port = parts.hostname, parts.port
        # What a name lookup would do first; a label that is empty or too long fails here with its setting
        # named.
        (host or "").encode("idna")
    except ValueError as error:
        # UnicodeError is a ValueError that carries the text it failed on, hence not chained.
        raise SettingsError("source.uri has a host or port that cannot be read.", _HINT) from (
            None if isinstance(error, UnicodeError) else error
        )
    if parts.scheme in _SCHEMES and not host:
        raise SettingsError("source.uri names no host.", _HINT)
    return parts
