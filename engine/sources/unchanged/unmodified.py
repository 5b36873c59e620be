"""Whether Home Assistant still answers as it did, told by the digests of its answers.

A snapshot is made of the lists that were asked for. Extended entity rows are not asked for again: where list
rows carry `modified_at`, every change of an entity moves it. BLAKE2b, because a digest is kept for ever and a
device's name must not be able to choose a collision.
"""

from hashlib import blake2b
from typing import Protocol

import anyio.to_thread
import msgspec

from engine.core.compare.proof import Answer, Etag
from engine.sources.answers.command_failed import CommandFailed
from engine.sources.answers.command_results import CATEGORY_LIST, COMPOSITE_SPLITS, ENTITY_LIST, LISTS
from engine.sources.answers.subentries import LIST_SUBENTRIES

_RECORDED = frozenset({CATEGORY_LIST, COMPOSITE_SPLITS, ENTITY_LIST, LIST_SUBENTRIES, *LISTS.values()})

# About a millisecond of hashing, which would hold up nobody.
_BYTES_FOR_A_THREAD = 1_000_000


class Commands(Protocol):
    """Who can be asked: a connection."""

    @property
    def ha_version(self) -> str:
        """The version that Home Assistant names at the beginning."""

    async def command(self, command_type: str, /, **params: object) -> msgspec.Raw:
        """The result of a command. Raises CommandFailed and SourceError."""


class RecordingConnection:
    """Asks through a connection and keeps the digests of the lists."""

    def __init__(self, connection: Commands) -> None:
        self._connection = connection
        self._answers: dict[tuple[str, bytes], Answer] = {}

    @property
    def ha_version(self) -> str:
        """The version of the core behind the connection."""
        return self._connection.ha_version

    async def command(self, command_type: str, /, **params: object) -> msgspec.Raw:
        """The result of a command, as the connection gives it."""
        if command_type not in _RECORDED:
            return await self._connection.command(command_type, **params)
        # An entity list that had to be asked for again replaces the first.
        key = (command_type, msgspec.json.encode(params, order="sorted"))
        try:
            answer = await self._connection.command(command_type, **params)
        except CommandFailed:
            self._answers[key] = Answer(command_type, dict(params), None)
            raise
        self._answers[key] = Answer(command_type, dict(params), await _digest(answer))
        return answer

    def etag(self, ha_version: str | None) -> Etag:
        """Names all that was recorded."""
        return Etag(ha_version, tuple(self._answers.values()))


async def is_unmodified(connection: Commands, ha_version: str | None, etag: Etag) -> bool:
    """Ask again what `etag` names, up to the first answer that differs. Raises SourceError."""
    if ha_version != etag.ha_version:
        return False
    for known in etag.answers:
        try:
            found = await _digest(await connection.command(known.command, **known.params))
        except CommandFailed:
            found = None  # as it was recorded; where there was an answer, the full read says what is wrong
        if found != known.digest:
            return False
    return True


async def _digest(answer: msgspec.Raw) -> str:
    if memoryview(answer).nbytes < _BYTES_FOR_A_THREAD:
        return _blake2b(answer)
    return await anyio.to_thread.run_sync(_blake2b, answer)


def _blake2b(answer: msgspec.Raw) -> str:
    return blake2b(memoryview(answer), digest_size=16).hexdigest()
