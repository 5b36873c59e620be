"""The address of Home Assistant's websocket, from a user's input. Pure; never looks at the network.

Invariant: an accepted URI holds no secret (no user, password, query or fragment), so it may be logged and
served.
"""

import re
from urllib.parse import SplitResult, parse_qsl, urlsplit

from engine.errors import SettingsError

WEBSOCKET_PATH = "/api/websocket"
_SCHEMES = {"ws": "ws", "http": "ws", "wss": "wss", "https": "wss"}
_HINT = "Write source.uri as ws://HOST:8123 or, with TLS, wss://HOST."
_SECRET_WORDS = ("token", "password", "secret")

# The first part of the paths of the frontend's pages and resources (2024.3.3 and 2026.11.0, seen
# 2026-11-28). A user's own dashboards are called dashboard-... unless renamed, older ones lovelace-....
_PAGES = frozenset(
    {
        *("auth", "calendar", "climate", "config", "developer-tools", "energy", "frontend_es5", "frontend_latest"),
        *("history", "home", "light", "local", "logbook", "logout", "lovelace", "manifest.json", "map"),
        *("media-browser", "onboarding", "onboarding.html", "profile", "security", "service_worker.js", "sidebar"),
        *("hassio", "hassio_ingress", "index.html", "maintenance", "my", "notfound", "shopping-list", "states"),
        *("static", "sw-modern.js", "todo", "_my_redirect"),
    }
)  # fmt: skip
_PAGE_PREFIXES = ("dashboard-", "lovelace-")
_MY_LINK = "my.home-assistant.io"


def websocket_uri(uri: str) -> str:
    """Returns the ws:// or wss:// address of the websocket that `uri` means.

    http becomes ws and https becomes wss. A path that ends in /websocket is the websocket's own, such as the
    Supervisor's /core/websocket. Parts copied from a browser (a page, a query, a fragment) are left out; the rest
    of a path is a proxy's, and /api/websocket follows it, as in every client of Home Assistant.
    A missing port stays missing, which means 80 or 443: Home Assistant's own port is 8123, 80 under newer
    Supervisors, 443 behind a reverse proxy, so every guess is wrong for someone.

    Raises SettingsError, without repeating the value, when it could hold a secret or is not such an address.
    """
    if any(character.isspace() or not character.isprintable() for character in uri):
        raise SettingsError("source.uri holds white space or control characters.", _HINT)
    parts = _split(uri)
    if "@" in parts.netloc:
        raise SettingsError(
            "source.uri holds a user name or password.",
            "Remove everything before the @; the access token belongs in source.token_file. A proxy that wants "
            "its own login is not supported: let source.uri name Home Assistant itself.",
        )
    said = (name.lower() for text in (parts.query, parts.fragment) for name, _ in parse_qsl(text))
    if any(word in name for name in said for word in _SECRET_WORDS):
        raise SettingsError(
            "source.uri holds a secret after its ? or #.",
            "Remove it; the access token belongs in source.token_file.",
        )
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None:
        raise SettingsError("source.uri does not begin with ws://, wss://, http:// or https://.", _HINT)
    if parts.hostname == _MY_LINK:
        raise SettingsError(
            f"source.uri names {_MY_LINK}, which only sends a browser on to your Home Assistant.", _HINT
        )
    return f"{scheme}://{parts.netloc}{_websocket_path(parts.path)}"


def _websocket_path(path: str) -> str:
    names = [name for name in path.split("/") if name]
    if names and names[-1] == "websocket":
        return "/" + "/".join(names)
    kept = next((n for n, name in enumerate(names) if _is_page(name)), len(names))
    # The part before the API is a proxy's; the part after it comes from a copied API address.
    base = names[: names.index("api")] if "api" in names[:kept] else names[:kept]
    return "".join(f"/{name}" for name in base) + WEBSOCKET_PATH


def _is_page(name: str) -> bool:
    return name in _PAGES or name.startswith(_PAGE_PREFIXES)


def _split(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        host, _port = parts.hostname, parts.port
        # A name lookup does this first; here a label that is empty or too long fails with the setting's
        # name.
        (host or "").encode("idna")
    except ValueError as error:
        raise SettingsError("source.uri has a host or port that cannot be read.", _hint(uri)) from (
            # UnicodeError is a ValueError that contains the text it failed on, so it is not chained.
            None if isinstance(error, UnicodeError) else error
        )
    if parts.scheme in _SCHEMES and not host:
        raise SettingsError("source.uri names no host.", _hint(uri))
    return parts


def _hint(uri: str) -> str:
    """The hint for an address that cannot be parsed."""
    if re.match(r"\w+://[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:]*", uri):
        return "Write an IPv6 address in brackets: ws://[fd00::1]:8123."
    return _HINT
