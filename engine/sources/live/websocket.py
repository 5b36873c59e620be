"""The source `ws://…`: a running Home Assistant, read with the rights of any user.

Only requests lists, one command after the other, because a big home's lists requested in one frame would block it
for the sum of their times. The answers show slightly different moments; `LISTS` explains the consequences and the
order. Home Assistant's state is read before and after, and the worse answer counts.
A command that this core does not know leaves its registry out of the snapshot.

The cost of later reads depends on what changed; so does that of a first read with a cache: see `remembering`.
"""

import math
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

import msgspec

from engine.core.home.snapshot import Snapshot
from engine.errors import SourceUnavailable
from engine.pass_cache.contents import Cache
from engine.pass_cache.learned import Learned
from engine.ports import Progress, Source, Watch
from engine.process.offload import Offload, to_thread
from engine.sources.answers.category_scopes import CategoryScopes
from engine.sources.answers.command_results import (
    CATEGORY_LIST,
    COMPOSITE_SPLITS,
    ENTITY_LIST,
    GET_CONFIG,
    LIST_ISSUES,
    LISTS,
    CommandResults,
    CoreConfig,
    Failed,
    decode_config,
)
from engine.sources.answers.commands import CommandFailed, CommandSender
from engine.sources.answers.entity_answers import ask_for_entries
from engine.sources.answers.listing import Listing
from engine.sources.answers.registry_rows import has_ordered_aliases
from engine.sources.answers.subentries import with_subentries
from engine.sources.ha_uri import websocket_uri
from engine.sources.live.connection import MESSAGE_BYTES_MAX, Connection, open_connection
from engine.sources.live.watch import open_watch
from engine.sources.unchanged.remembering import RememberedAnswers

# 0.8 MB and 5 ms of Home Assistant's time per answer (2026.11.0, measured 2026-11-23).
ENTITIES_PER_COMMAND = 1000
# Entities renamed or removed during a read make the list out of date; a home that is being set
# up does that for seconds, not forever.
ENTITY_LIST_TRIES = 5
# A proxy may hold a request that it sent to a core which is gone. Whoever follows the core tries again instead.
_FOLLOW_OPENING_SECONDS = 10.0


class VersionedSender(CommandSender, Protocol):
    """A connection that knows its Home Assistant's version."""

    @property
    def ha_version(self) -> str:
        """The version that Home Assistant reports at login."""


class WebsocketSource(Source):
    """Reads a running Home Assistant through its websocket API.

    `message_bytes_max` and `timeout_seconds` are those of `open_connection`; `clock` gives Unix seconds;
    `token` may be a function, called at each connect; `category_scopes` are those of stored categories, which are read
    too; `offload` runs the decoding of answers.
    Raises SettingsError when `uri` is not an address. Reads of one object must not overlap.
    """

    def __init__(  # noqa: PLR0913 (options, by keyword)
        self,
        uri: str,
        token: str | Callable[[], str],
        *,
        message_bytes_max: int = MESSAGE_BYTES_MAX,
        timeout_seconds: float = 30.0,
        clock: Callable[[], float] = time.time,
        category_scopes: Iterable[str] = (),
        offload: Offload = to_thread,
        messages_per_second_max: float | None = None,
    ) -> None:
        self._offload = offload
        self._messages_per_second_max = messages_per_second_max
        self._scopes = CategoryScopes(category_scopes)
        self._uri = websocket_uri(uri)
        self._token = token
        self._message_bytes_max = message_bytes_max
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._answers = RememberedAnswers(f"websocket {self._uri}")

    @property
    def origin(self) -> str:
        """The source as shown to users; an accepted URI holds no secret."""
        return self._uri

    async def read(self, progress: Progress) -> Snapshot:
        """Connect, read every registry, and disconnect. Raises SourceError; see `open_connection`."""
        progress("connecting", 0, None)
        async with self._connect() as connection:
            return await self.read_from(connection, progress)

    def recall(self, cache: Cache | None) -> Snapshot | None:
        """Start with what an earlier process learned, or with nothing; see `cache_ports.Recalling`."""
        return self._answers.recall(cache)

    def has_learned(self) -> bool:
        """Whether there is anything that the cache lacks."""
        return self._answers.has_learned()

    def learned(self) -> Learned | None:
        """What to keep of the last read; None if equal lists would not imply an equal home."""
        return self._answers.learned()

    @property
    def can_be_followed(self) -> bool:
        """Always."""
        return True

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[Watch]:
        """Connect, and report a hint for every change until the block ends. Raises SourceError."""
        async with (
            self._connect(opening_seconds_max=_FOLLOW_OPENING_SECONDS) as connection,
            open_watch(connection, self.read_from, self._clock, self._scopes, self._offload) as watch,
        ):
            yield watch

    @asynccontextmanager
    async def _connect(self, opening_seconds_max: float = math.inf) -> AsyncIterator[Connection]:
        token = self._token if isinstance(self._token, str) else await self._offload(self._token)
        async with open_connection(
            self._uri,
            token,
            message_bytes_max=self._message_bytes_max,
            timeout_seconds=self._timeout_seconds,
            opening_seconds_max=opening_seconds_max,
            messages_per_second_max=self._messages_per_second_max,
        ) as connection:
            yield connection

    async def read_from(self, connection: VersionedSender, progress: Progress) -> Snapshot:
        """Read every registry through the caller's open connection. Raises SourceError."""
        # As old as its oldest answer: changes from now on may be missing.
        taken_at = self._clock()
        before = await _ask_config(connection)
        issues = await _ask_aside(connection, LIST_ISSUES)
        entities = await self._read_entities(connection, before, progress)
        lists: dict[str, msgspec.Raw] = {}
        for done, (registry, command) in enumerate(LISTS.items()):
            progress(f"{registry} list", done, len(LISTS))
            # Every core lists devices; without them there is nothing to compare.
            needed = registry == "device"
            answer = await (connection.command(command) if needed else _ask_if_known(connection, command))
            if answer is not None:
                lists[registry] = answer
        if "config_entry" in lists:
            lists["config_entry"] = await with_subentries(connection, lists["config_entry"])
        self._scopes.add(self._answers.entities.category_scopes)
        categories = await _read_categories(connection, self._scopes)
        splits = await _ask_aside(connection, COMPOSITE_SPLITS)
        after = await _ask_config(connection)
        progress("registry lists", len(LISTS), len(LISTS))
        results = CommandResults(
            entities=entities,
            lists=lists,
            categories=categories,
            configs=(before, after),
            splits=splits,
            issues=issues,
        )
        return await self._offload(partial(self._snapshot, results, taken_at))

    def _snapshot(self, results: CommandResults, taken_at: float) -> Snapshot:
        return self._answers.make(results, taken_at=taken_at, origin=self.origin)

    async def _read_entities(
        self, connection: VersionedSender, config: CoreConfig, progress: Progress
    ) -> Listing:
        # A core that does not report its version is treated as a recent one.
        version = config.version or connection.ha_version
        ordered = has_ordered_aliases(version)
        self._answers.begin(version, aliases_ordered=ordered is not False)
        rows = self._answers.entities
        for _ in range(ENTITY_LIST_TRIES):
            progress("entity list", 0, None)
            answer = await connection.command(ENTITY_LIST)
            wanted = await self._offload(partial(rows.take_list, answer))
            answers = await ask_for_entries(connection, wanted, ENTITIES_PER_COMMAND, progress)
            entities = await self._offload(partial(rows.take_entries, answers.results, answers.refused))
            if entities is not None:
                return entities
        raise SourceUnavailable(
            f"Entities of {self._uri} were renamed or removed during each of {ENTITY_LIST_TRIES} reads.",
            "Run again when Home Assistant has settled.",
        )


async def _read_categories(
    connection: VersionedSender, scopes: CategoryScopes
) -> dict[str, msgspec.Raw] | None:
    """The category lists by scope; None when the core has no category registry (before 2024.4)."""
    categories = {}
    for scope in scopes:
        try:
            categories[scope] = await connection.command(CATEGORY_LIST, scope=scope)
        except CommandFailed as error:
            if error.code == "unknown_command":
                return None
            if error.code == "unauthorized":
                raise
            scopes.refuse(scope)
    return categories


async def _ask_config(connection: VersionedSender) -> CoreConfig:
    """The health the core reports; without it recovery mode cannot be excluded. Raises SourceError."""
    config = decode_config(await connection.command(GET_CONFIG))
    return msgspec.structs.replace(config, version=config.version or connection.ha_version or None)


async def _ask_aside(connection: VersionedSender, command_type: str) -> msgspec.Raw | Failed | None:
    """As `_ask_if_known`, for an answer that is not a registry: after a refusal the others are trusted less, but the read goes on."""
    try:
        return await _ask_if_known(connection, command_type)
    except CommandFailed as error:
        return Failed(error.message.rstrip("."))


async def _ask_if_known(
    connection: VersionedSender, command_type: str, /, **params: object
) -> msgspec.Raw | None:
    """The command's result; None when the core does not know the command."""
    try:
        return await connection.command(command_type, **params)
    except CommandFailed as error:
        if error.code != "unknown_command":
            raise
        return None
