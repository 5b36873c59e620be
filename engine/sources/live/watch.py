"""Follows a running Home Assistant: collects the events of subscriptions as hints, and reads where they point.

It subscribes to everything before it lists anything, so that a change between the two is read twice
rather than never. A loss of events triggers a full read. Registries that this user may not subscribe to
(2024.3 to 2024.7: floors, labels, categories) are listed with each heartbeat.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Set
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.lowlevel
import msgspec

from engine.core.home.list_order import ORDERED_REGISTRIES
from engine.core.home.snapshot import Snapshot
from engine.core.home.unread import Unread
from engine.core.records.record import Entity, Record
from engine.core.records.set_aside import SetAside, UnusableRow
from engine.core.state.hints import GatheredHints, Hints
from engine.errors import SourceError
from engine.ports import Progress
from engine.process.offload import Offload
from engine.sources.answers.category_scopes import CategoryScopes, scope_of_event
from engine.sources.answers.command_results import CATEGORY_LIST, LISTS
from engine.sources.answers.commands import CommandFailed
from engine.sources.answers.entity_answers import ask_for_entries, is_valid
from engine.sources.answers.interning import Interner
from engine.sources.answers.listing import Known, known_record
from engine.sources.answers.registry_rows import entity_record, has_ordered_aliases, row_record
from engine.sources.answers.subentries import with_subentries
from engine.sources.json_text import decode_json
from engine.sources.live.connection import Connection
from engine.sources.live.events import (
    CONFIG_ENTRIES_COMMAND,
    CORE_EVENT,
    EVERYTHING,
    REGISTRY_EVENTS,
    config_entry_hints,
    event_hints,
)
from engine.sources.live.later_snapshot import changed_snapshot, holders_of
from engine.sources.live.subscription import Subscription
from engine.sources.unchanged.row_cache import RowCache

# More entities than these are read by listing all of them: one row of get_entries costs Home Assistant 4 µs,
# one of the list 0.8 µs (2026.11.0, measured 2026-11-23).
ENTITIES_READ_ONE_BY_ONE = 500
# An answer omits removed entities; this many entity_ids fit into one command, however long they are.
ENTITIES_REMOVED_ONE_BY_ONE = 5000

_ENTRIES = msgspec.json.Decoder(dict[str, msgspec.Raw])

ReadAll = Callable[[Connection, Progress], Awaitable[Snapshot]]


class WebsocketWatch:
    """An open connection that follows Home Assistant; see `ports.Watch`. Made by `open_watch`."""

    def __init__(
        self,
        connection: Connection,
        read_all: ReadAll,
        clock: Callable[[], float],
        scopes: CategoryScopes,
        offload: Offload,
    ) -> None:
        self._offload = offload
        self._scopes = scopes
        self._listed_scopes = frozenset[str]()
        self._connection = connection
        self._read_all = read_all
        self._clock = clock
        self._rows = RowCache()
        self._hints = GatheredHints()
        self._newest: Snapshot | None = None
        self._changed = anyio.Event()
        self.has_all_events = True  # whether the core sends this user all events
        self.unreported: frozenset[str] = frozenset()  # registries whose events it withholds
        self._unreported_listed_at = 0.0  # when these were last listed

    async def read(self, progress: Progress) -> Snapshot:
        """Read every registry in full. Raises SourceError.

        Entities that an event reported as removed count as evidence here, as in `refresh`.
        """
        gathered = self._hints.take()
        snapshot = await self._read_all(self._connection, progress)
        if self._newest is not None:
            snapshot = snapshot.with_evidence(
                gathered.removed | holders_of(self._newest, gathered.removed_entity_ids)
            )
        self._unreported_listed_at = snapshot.reading.taken_at
        self.unreported &= snapshot.reading.registries  # an old core lacks some of them
        self._newest = snapshot
        self._hints.mark_read()
        return snapshot

    async def wait_for_hints(self) -> Hints:
        """Wait until something may have changed; returns all hints so far. Raises SourceError."""
        while not self._hints:
            self._connection.check_open()
            self._changed = anyio.Event()
            await self._changed.wait()
        return self._hints.take()

    @property
    def unread_since(self) -> float | None:
        """As `ports.Watch`."""
        return self._hints.unread_since

    async def refresh(self, hints: Hints, newest: Snapshot) -> Snapshot:
        """Read where the hints point. Raises SourceError."""
        taken_at = self._clock()
        found = await self._look(hints, newest)
        await self._collect_events()
        if self._hints and found is not None:  # before the answer: some changes may precede our command
            hints |= self._hints.take()
            seen = {known.key for known in found[0]}
            found = await self._look(hints, newest)
            if found is not None and not seen <= {known.key for known in found[0]}:
                found = None  # renamed since, and the event with the new name has not arrived yet
        if found is None:
            return await self.read(_no_progress)
        if self.unreported and self.unreported <= {registry for registry, _ in found[1]}:
            self._unreported_listed_at = taken_at
        true_at = None if self.has_all_events else self._unreported_listed_at
        later = await self._offload(partial(changed_snapshot, newest, hints, *found, taken_at, true_at))
        if "category" in hints.registries:
            later = later.read_as(unread=Unread(newest.reading.unread.registries, self._listed_scopes))
        self._newest = later
        self._hints.mark_read()
        return later

    async def heartbeat(self) -> float | None:
        """Ping; Home Assistant queues events and answers together, so all events before the answer have arrived.

        Registries without events for this user are read instead: their lists are small, and the watermark advances.
        """
        asked_at = self._clock()
        await self._connection.command("ping")
        await self._collect_events()
        self.gather(Hints(registries=self.unreported))
        return asked_at if self.has_all_events and self.unread_since is None else None

    def gather(self, hints: Hints) -> None:
        """Add hints, and wake the waiting task."""
        if hints:
            self._hints.add(hints, self._clock())
            self._changed.set()

    async def follow(self, subscription: Subscription, read: Callable[[msgspec.Raw], Hints]) -> None:
        """Turn one subscription's events into hints until the connection ends."""
        try:
            async for event in subscription:
                self.gather(read(event))
                if subscription.events_lost:
                    subscription.events_lost = 0
                    self.gather(EVERYTHING)
        except SourceError:
            self._changed.set()  # the next wait or read raises the connection's error

    async def _collect_events(self) -> None:
        """Let the tasks that read the subscriptions run, so that events before an answer become hints."""
        await anyio.lowlevel.checkpoint()

    async def _look(
        self, hints: Hints, newest: Snapshot
    ) -> tuple[list[Known], list[tuple[str, list[Known]]]] | None:
        """The entities and lists that the hints point to; None when everything has to be read."""
        is_much = len(hints.entity_ids) > ENTITIES_READ_ONE_BY_ONE
        if hints.relist or is_much or len(hints.removed_entity_ids) > ENTITIES_REMOVED_ONE_BY_ONE:
            return None
        # Removed ones too: a late event may concern one that has returned.
        entities = await self._read_entities(hints.entity_ids | hints.removed_entity_ids, newest)
        if entities is None:
            return None
        # Gone from the entity_id we know without an event for its removal: it was renamed, perhaps
        # more than once, or removed under an entity_id that we never knew.
        found_ids = {known.record.entity_id for known in entities if isinstance(known.record, Entity)}
        reported = hints.removed_entity_ids & found_ids
        if holders_of(newest, hints.entity_ids - reported) - {known.key for known in entities}:
            return None
        self._scopes.add(s for k in entities if isinstance(k.record, Entity) for s in k.record.categories)
        lists = []
        for registry in sorted(hints.registries):
            try:
                found, set_aside = await self._read_list(registry)
            except CommandFailed:
                return None  # a scope that is not listed, or the full read reports the error
            known_aside = {row for row in newest.home.set_aside if row.registry == registry}
            # Only a full read knows the position of a row that is set aside.
            is_placed = bool(set_aside) and registry in ORDERED_REGISTRIES
            if is_placed or set_aside != known_aside or len({known.key for known in found}) < len(found):
                return None
            lists.append((registry, found))
        return entities, lists

    async def _read_entities(self, entity_ids: Set[str], newest: Snapshot) -> list[Known] | None:
        """The entities under these entity_ids; None when only a full read can find out."""
        if not entity_ids:
            return []
        odd = {row.entity_id for row in newest.home.set_aside}
        if any(entity_id in odd or not is_valid(entity_id) for entity_id in entity_ids):
            return None
        answers = await ask_for_entries(
            self._connection, sorted(entity_ids), ENTITIES_READ_ONE_BY_ONE, _no_progress
        )
        if answers.refused:
            return None
        ordered = has_ordered_aliases(self._connection.ha_version) is not False
        values, found = Interner(), list[Known]()
        for answer in answers.results:
            for row in decode_json(_ENTRIES, answer, "The answer to get_entries").values():
                # An entity_id that has gone again answers null; its own event follows.
                if bytes(row) == b"null":
                    continue
                try:
                    found.append(known_record(entity_record(row, aliases_ordered=ordered), values))
                except UnusableRow:
                    return None
        odd_keys = newest.home.partly_read.keys() | newest.home.set_aside_keys
        return None if any(known.key in odd_keys for known in found) else found

    async def _read_list(self, registry: str) -> tuple[list[Known], set[SetAside]]:
        if registry != "category":
            answer = await self._connection.command(LISTS[registry])
            if registry == "config_entry":
                answer = await with_subentries(self._connection, answer)
            listing = self._rows.records(registry, answer, lambda row: row_record(registry, row))
            return list(listing), set(listing.set_aside)
        found, set_aside = list[Known](), set[SetAside]()
        self._listed_scopes = frozenset(self._scopes)
        for scope in sorted(self._listed_scopes):
            answer = await self._connection.command(CATEGORY_LIST, scope=scope)
            listing = self._rows.records(f"category {scope}", answer, _category_maker(scope))
            found += listing
            set_aside.update(listing.set_aside)
        return found, set_aside


@asynccontextmanager
async def open_watch(
    connection: Connection,
    read_all: ReadAll,
    clock: Callable[[], float],
    scopes: CategoryScopes,
    offload: Offload,
) -> AsyncIterator[WebsocketWatch]:
    """Subscribe to everything that this user may follow, and collect hints while the block runs."""
    watch = WebsocketWatch(connection, read_all, clock, scopes, offload)

    def hints_of(event: msgspec.Raw) -> Hints:
        scopes.add(scope_of_event(event))
        return event_hints(event)

    subscriptions = []
    unreported = set[str]()
    for event_type in (*REGISTRY_EVENTS, CORE_EVENT):
        subscription = await _subscribe(connection, "subscribe_events", event_type=event_type)
        is_of_categories = REGISTRY_EVENTS.get(event_type) == "category"
        subscriptions.append((subscription, hints_of if is_of_categories else event_hints))
        if subscription is None:
            unreported.add(REGISTRY_EVENTS.get(event_type, ""))
    entries = await _subscribe(connection, CONFIG_ENTRIES_COMMAND)
    subscriptions.append((entries, config_entry_hints))
    if entries is None:
        unreported.add("config_entry")
    watch.has_all_events, watch.unreported = not unreported, frozenset(unreported - {""})
    raised: BaseException | None = None
    try:
        async with anyio.create_task_group() as tasks:
            for followed, read in subscriptions:
                if followed is not None:
                    tasks.start_soon(watch.follow, followed, read)
            yield watch
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # `follow` raises only SourceInvalid, so the first is the caller's exception or the one that ended the watch.
        raised = group.exceptions[0]
    if raised is not None:
        raise raised


async def _subscribe(connection: Connection, command: str, /, **params: object) -> Subscription | None:
    try:
        return await connection.subscribe(command, **params)
    except CommandFailed as error:
        if error.code not in ("unauthorized", "unknown_command"):
            raise
        return None


def _category_maker(scope: str) -> Callable[[msgspec.Raw], Record]:
    return lambda row: row_record("category", row, scope=scope)


def _no_progress(what: str, done: int, total: int | None) -> None:
    """Ignore the progress of a partial read: it is too short to report."""
