"""`reconcile healthcheck`: is the service alive? For containers and supervisors, which check often and need a quick answer.

Requests `/healthz`, which needs no token and checks only the process itself: an unreachable Home Assistant is no
reason to restart the service (`/readyz` reports that). It uses neither secrets nor proxies.
"""

import http.client
import json
import os
import threading
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.parser import refuse
from engine.commandline.exit_codes import FAILED, OK, UNAVAILABLE
from engine.commandline.output import emit_text, print_message
from engine.commandline.text.safe_text import without_secrets
from engine.errors import SettingsError
from engine.process.waiting import ends_within

TIMEOUT_SECONDS = 5.0
_PATH = "/healthz"
_BODY_BYTES_MAX = 1000
_CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
# The address to use for a listener on every address.
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (nothing is bound here)


def run_healthcheck(arguments: Arguments) -> int:
    """Check once and print the result in one line. Raises SettingsError when the service's address is unknown."""
    url = _configured_url(arguments) if arguments.url is None else arguments.url
    code, said = ask(_parts(url))
    line = f"{without_secrets(url)}: {said}."
    if code != OK:
        print_message(line)
    elif not arguments.quiet:
        emit_text(f"{line}\n")
    return code


def ask(url: SplitResult) -> tuple[int, str]:
    """The exit code and the reason, within TIMEOUT_SECONDS even if names resolve or bytes arrive slowly."""
    answers: list[tuple[int, str]] = []
    # A daemon thread: if it hangs, it ends with the process.
    asking = threading.Thread(target=lambda: answers.append(_ask(url)), daemon=True)
    asking.start()
    ends_within(asking, TIMEOUT_SECONDS)
    return answers[0] if answers else (FAILED, "no answer in time")


def _ask(url: SplitResult) -> tuple[int, str]:
    # Slightly sooner than `ask` stops waiting, to distinguish a machine that drops connections from one that hangs.
    timeout = 0.9 * TIMEOUT_SECONDS
    connection = _CONNECTIONS[url.scheme](url.hostname or "", url.port, timeout=timeout)
    try:
        connection.connect()
    except (OSError, UnicodeError) as error:  # the second: a name that is not a valid host name
        return UNAVAILABLE, f"nothing answers ({getattr(error, 'strerror', None) or error})"
    try:
        connection.request("GET", url.path.rstrip("/") + _PATH, headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read(_BODY_BYTES_MAX)
    except TimeoutError:
        return FAILED, "no answer in time"
    except (OSError, http.client.HTTPException) as error:
        return FAILED, f"no proper answer ({type(error).__name__})"
    finally:
        connection.close()
    if answer.status != 200:
        return FAILED, f"{_PATH} returned {answer.status}"
    if not _is_ours(body):
        return FAILED, f"the program that answers {_PATH} is not reconcile"
    return OK, "alive"


def _is_ours(body: bytes) -> bool:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("status") == "ok"


def _configured_url(arguments: Arguments) -> str:
    from engine.commandline.arguments.loading import working_folder
    from engine.settings.layers import merge_settings

    file = Path(arguments.config) if arguments.config else None
    settings, _ = merge_settings({}, os.environ, file, working_folder())
    if settings.http.port == 0:
        raise SettingsError("http.port = 0 lets the service take any port.", "Name it with --url.")
    host = _LOOPBACK.get(settings.http.host, settings.http.host)
    return f"http://[{host}]:{settings.http.port}" if ":" in host else f"http://{host}:{settings.http.port}"


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_address = (
            parts.scheme in _CONNECTIONS and bool(parts.hostname) and parts.port != 0 and url.isascii()
        )
    except ValueError:
        is_address = False
    if not is_address:
        refuse(
            f"{without_secrets(url)!r} is not the address of a service.",
            "It looks like http://127.0.0.1:8099.",
        )
    return parts
