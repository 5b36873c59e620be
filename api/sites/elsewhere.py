"""Requests for a home that another process keeps: redirects to that process, or explains why it cannot.

A redirect leads only to the address that the other process published, never in a circle, and contains no token: clients
do not send theirs to another host on their own.
"""

from urllib.parse import quote, urlsplit

from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from api.http.problems import RETRY_SECONDS, Problem
from api.http.routing import LIVE_HEADERS
from api.sites.ports import Elsewhere


def answer_elsewhere(name: str, found: Elsewhere, scope: Scope) -> Response:
    """The redirect to the home's owner. Raises Problem if that is impossible."""
    if not found.is_current:
        last = f"; {found.owner} kept it last" if found.owner else ""
        raise _unavailable(f"No process is known to keep the home {name} at the moment{last}.")
    if not _is_address(found.url):
        raise _unavailable(
            f"The home {name} is kept by {found.owner}, which publishes no address (fleet.url) to lead to."
        )
    if _is_here(found.url, scope):
        raise _unavailable(
            f"The home {name} is kept by {found.owner}, whose address (fleet.url) is {found.url}, and this process "
            "answered there. Each process needs an address of its own."
        )
    return RedirectResponse(f"{found.url.rstrip('/')}{_target(scope)}", 307, LIVE_HEADERS)


def _target(scope: Scope) -> str:
    """The path and query of the request, as sent."""
    path, raw = str(scope["path"]), scope.get("raw_path")
    sent = raw.decode("latin-1") if raw else quote(path)
    if not sent.startswith(("/sites/", "/api/sites/")):  # encoded in an unusual way
        sent = quote(path)
    query = scope["query_string"].decode("latin-1")
    return f"{sent}?{query}" if query else sent


def _is_address(url: str) -> bool:
    """Whether it is a valid address: the pattern accepts impossible IPv6 hosts."""
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _is_here(url: str, scope: Scope) -> bool:
    """Whether the request was sent to that address, so that a redirect would come back here."""
    parts = urlsplit(url)
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    default = {"http": 80, "https": 443}[parts.scheme]
    asked = {host.casefold().removesuffix(f":{default}") for host in hosts}
    return not parts.path.strip("/") and parts.netloc.casefold().removesuffix(f":{default}") in asked


def _unavailable(detail: str) -> Problem:
    return Problem(503, detail, headers={"retry-after": str(RETRY_SECONDS)})
