"""Reads the status of an ha-reconcile service: one GET of /api/status, whose answer is checked."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

WORDS = ("in_sync", "out_of_sync", "blocked", "unknown")
_SECONDS_MAX = 20
_BYTES_MAX = 2**20


class ServiceError(Exception):
    """The status cannot be read; the message says why."""


class NotReached(ServiceError):
    """Nothing answers at the address."""


class TokenRefused(ServiceError):
    """The service refuses the token."""


class NoService(ServiceError):
    """Another program answers, not a service for one home."""


def base_url(text: str) -> str:
    """The address that the user entered, in the form for requests. Raises NoService."""
    text = text.strip()
    scheme, _, rest = (text if "://" in text else f"http://{text}").partition("://")
    rest = rest.rstrip("/")
    if scheme not in ("http", "https") or not rest or any(sign in rest for sign in "?#@ "):
        raise NoService("this is not an address such as http://192.168.1.10:8099")
    return f"{scheme}://{rest}"


async def read_status(session: aiohttp.ClientSession, url: str, token: str) -> dict[str, Any]:
    """The status that the service reports. Raises ServiceError.

    A redirect is not followed: the token is for this service alone.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=_SECONDS_MAX)
    body = b""
    try:
        async with session.get(
            f"{url}/api/status", headers=headers, timeout=timeout, allow_redirects=False
        ) as answer:
            if answer.status in (401, 403):
                raise TokenRefused(f"{url} refuses the token")
            if answer.status != 200:
                raise NoService(f"{url} answers /api/status with {answer.status}")
            async for piece in answer.content.iter_chunked(65_536):
                body += piece
                if len(body) > _BYTES_MAX:
                    raise NoService(f"{url} answers with more than a status")
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise NotReached(f"{url} is not reached: {error or type(error).__name__}") from error
    return _checked(url, body)


def pending_changes(status: dict[str, Any]) -> int | None:
    """The number of changes that wait to be written; None while the status of a store is unknown."""
    if not status["replicas"] or any(one.get("status") == "unknown" for one in status["replicas"]):
        return None
    return sum(one.get("pending") or 0 for one in status["replicas"])


def _checked(url: str, body: bytes) -> dict[str, Any]:
    try:
        status = json.loads(body)
    except (ValueError, RecursionError):
        status = None
    if not (
        isinstance(status, dict)
        and status.get("status") in WORDS
        and isinstance(status.get("source"), dict)
        and all(
            isinstance(status.get(name), list) and all(isinstance(one, dict) for one in status[name])
            for name in ("replicas", "guards")
        )
    ):
        raise NoService(f"{url} answers with something other than a status")
    return status
