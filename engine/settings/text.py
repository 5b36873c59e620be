"""What people write for a setting, brought to the form that the program uses.

Pure. Compose files leave empty variables and the word `yes`, editors leave a byte order mark, and an address
is pasted as the browser shows it, often without its scheme. It must not decide what a setting may be.
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
# Around what was copied: white space, quotes that `docker --env-file` leaves, the brackets of a link in a mail.
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
    """The text of a file that a person wrote: UTF-8, or what its byte order mark says. Raises UnicodeError."""
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), "utf-8")
    return data.decode(encoding)


def why_unreadable(error: Exception) -> str:
    """Why a file that a person wrote could not be read, without what is in it and without Python's words."""
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

    An own password may hold anything, so what is no kit is left as it is but for its line ends.
    """
    found = set(_KIT_KEY.findall(text))
    return found.pop() if len(found) == 1 else text.strip("\r\n")


def environment_value(name: str, text: str) -> Json:
    """The value that an environment variable gives to a setting; None if it gives none.

    An empty variable is one that is not set; an empty list is a list.
    """
    text = without_wrapping(text)
    if name in LIST_NAMES:
        return [part for part in map(str.strip, text.split(",")) if part]
    return text or None


def written_value(name: str, value: Json) -> Json:
    """A setting's value as the program uses it, given as it was written; None if an empty text sets nothing.

    What is no value of the setting stays as it is, and is refused with the others.
    """
    if not isinstance(value, str):
        return value
    if not value.strip() and name not in TEXT_NAMES:
        return None
    if name in SWITCH_NAMES:
        return _SWITCH_WORDS.get(value.strip().lower(), value)
    return source_uri(value) if name == "source.uri" else value


def source_uri(written: str) -> str:
    """`source.uri` with its scheme in lower case; an address that has none gets one, as a browser does it.

    Without a scheme it is http:// in the home. A public name without a port, and a port for TLS, is https://: a
    token must not go through the internet in clear text because a word was left out.
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
    """Whether a text looks like a file or folder, with the form of the source left out."""
    return text.startswith(("/", "./", "../", "~")) or text.endswith((".tar", ".storage"))


def _is_port(rest: str) -> bool:
    """Whether what follows a colon is a port, as in `http:8123` for a host that is called http."""
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
    """Where people reach Home Assistant's own pages; empty if that is not known."""
    try:
        parts = urlsplit(source.uri)
    except ValueError:  # as of `http://[::1`, which the source refuses
        return source.browser_url
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    # The Supervisor's proxy is for programs only.
    is_known = scheme in ("http", "https") and parts.hostname not in (None, "supervisor")
    return source.browser_url or (f"{scheme}://{parts.netloc.rpartition('@')[2]}" if is_known else "")
