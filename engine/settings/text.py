"""Converts users' values for settings into the program's form.

Pure. Compose files leave empty variables and the word `yes`, editors leave a byte order mark, and users paste an
address as the browser shows it, often without its scheme. It must not decide which values are valid.
"""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from engine.core.records.record import Json
from engine.settings.sections import LIST_NAMES, SWITCH_NAMES, TEXT_NAMES, SourceSettings

WEBSOCKET_SCHEMES = ("ws", "wss", "http", "https")
FILE_SCHEMES = ("storage", "backup", "capture")

_SWITCH_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "1", "y", "t", "enabled"), True),
    **dict.fromkeys(("false", "no", "off", "0", "n", "f", "disabled"), False),
}
# Around a copied value: white space, quotes that `docker --env-file` leaves, the brackets of a link in a mail.
_AROUND = " \t\r\n\v\f\u00a0\u200b\ufeff"
_PAIRS = ("''", '""', "<>", "``")

_HOST = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.%]+\]|\w[\w-]*(?:\.[\w-]+)*\.?)(?P<port>:\d{1,5})?(?P<rest>[/?#].*)?", re.DOTALL
)
_BARE_HOSTS = ("localhost", "homeassistant", "hassio", "supervisor")
_HOME_DOMAINS = ("local", "lan", "home", "internal", "localdomain", "arpa", "box", "intranet", "private")
_TLS_PORTS = (":443", ":8443")

_KIT_KEY = re.compile(r"(?<![\w-])[A-Z0-9]{4}(?:-[A-Z0-9]{4}){6}(?![\w-])")

_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def decode_text(data: bytes) -> str:
    """The text of a user's file: UTF-8, or as its byte order mark says. Raises UnicodeError."""
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), "utf-8")
    return data.decode(encoding)


def why_unreadable(error: Exception) -> str:
    """Why a user's file could not be read, without its content and without Python's wording."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it is not UTF-8" if isinstance(error, UnicodeError) else str(error)


def without_wrapping(text: str) -> str:
    """The text without white space, a byte order mark and one pair of quotes around it."""
    text = text.strip(_AROUND)
    if len(text) > 1 and text[0] + text[-1] in _PAIRS:
        text = text[1:-1].strip(_AROUND)
    return text


def backup_key(text: str) -> str:
    """The key in a file of its own or in an emergency kit, which has it as seven groups of four (2026.11, seen 2026-11-28).

    A user's own password may contain anything, so text that is not a kit is unchanged except for its line ends.
    """
    found = set(_KIT_KEY.findall(text))
    return found.pop() if len(found) == 1 else text.strip("\r\n")


def environment_value(name: str, text: str) -> Json:
    """The setting's value from an environment variable; None if it sets none.

    An empty variable counts as not set; an empty list is a list.
    """
    text = without_wrapping(text)
    if name in LIST_NAMES:
        return [part for part in map(str.strip, text.split(",")) if part]
    return text or None


def written_value(name: str, value: Json) -> Json:
    """A written value in the program's form; None if an empty text sets nothing.

    An invalid value stays unchanged, and is refused later with the others.
    """
    if not isinstance(value, str):
        return value
    if not value.strip() and name not in TEXT_NAMES:
        return None
    if name in SWITCH_NAMES:
        return _SWITCH_WORDS.get(value.strip().lower(), value)
    return source_uri(value) if name == "source.uri" else value


def source_uri(written: str) -> str:
    """`source.uri` with its scheme in lower case; an address without one gets one, as in a browser.

    In the local network it gets http://. A public name without a port, and a port for TLS, gets https://: a
    token must not cross the internet in clear text because a scheme was left out.
    """
    uri = without_wrapping(written)
    scheme, colon, rest = uri.partition(":")
    if colon and scheme.lower() in (*WEBSOCKET_SCHEMES, *FILE_SCHEMES) and not _is_port(rest):
        return f"{scheme.lower()}:{rest}"
    found = _HOST.fullmatch(f"[{uri}]" if _is_ipv6(uri) else uri)
    if found is None:
        return uri
    host, port = found["host"].lower(), found["port"] or ""
    is_named = bool(port) or "." in host or host.startswith("[") or host in _BARE_HOSTS
    if not is_named or (not port and host.endswith(".tar")):
        return uri
    is_public = not port and not _is_of_a_home(host)
    return f"{'https' if is_public or port in _TLS_PORTS else 'http'}://{found[0]}"


def looks_like_path(text: str) -> bool:
    """Whether a text looks like a file or folder without its kind of source."""
    return text.startswith(("/", "./", "../", "~")) or text.endswith((".tar", ".storage"))


def _is_port(rest: str) -> bool:
    """Whether the text after a colon is a port, as in `http:8123` for a host called http."""
    return rest.partition("/")[0].isdecimal() and not rest.startswith("/")


def _is_ipv6(text: str) -> bool:
    try:
        return ip_address(text).version == 6
    except ValueError:
        return False


def _is_of_a_home(host: str) -> bool:
    try:
        return not ip_address(host.strip("[]").partition("%")[0]).is_global
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        return last in (*_BARE_HOSTS, *_HOME_DOMAINS)


def browser_address(source: SourceSettings) -> str:
    """The address of Home Assistant's pages for users; empty if unknown."""
    try:
        parts = urlsplit(source.uri)
    except ValueError:  # such as `http://[::1`, which the source refuses
        return source.browser_url
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    # The Supervisor's proxy is for programs only.
    is_known = scheme in ("http", "https") and parts.hostname not in (None, "supervisor")
    return source.browser_url or (f"{scheme}://{parts.netloc.rpartition('@')[2]}" if is_known else "")
