"""Deliberate faults in the engine, each a lie or a carelessness that the simulation has to catch.

Half of them are faults that the engine had when it was first simulated.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import msgspec

from engine.core.compare.plan import Operation
from engine.core.guards import absences, guard
from engine.core.guards.look import Calendar, elapsed
from engine.core.home.snapshot import Snapshot
from engine.core.state.hints import Hints
from engine.errors import ReplicaError, SourceError
from engine.loop.informer import Informer
from engine.loop.passes.memory import ReplicaMemory
from engine.loop.passes.replica_pass import ReplicaPass
from engine.loop.replica_controller import ReplicaController
from engine.loop.sightings import Sightings
from engine.sources.live import events as registry_events
from engine.sources.live.watch import WebsocketWatch
from engine.sources.live.websocket import WebsocketSource

Mutant = Callable[[], Iterator[None]]


def _replaced(owner: Any, name: str, new: Any) -> Mutant:
    def mutant() -> Iterator[None]:
        with mock.patch.object(owner, name, new):
            yield

    return mutant


async def _dated_at_the_end(self: WebsocketSource, *arguments: Any) -> Snapshot:
    snapshot = await _READ_FROM(self, *arguments)
    return snapshot.read_as(taken_at=self._clock())


async def _answered_at(self: WebsocketWatch) -> float | None:
    asked_at = await _HEARTBEAT(self)
    return None if asked_at is None else self._clock()


def _claimed_at_once(self: ReplicaController, snapshot: Snapshot) -> None:
    if self.status.status == "in_sync":
        self.status = msgspec.structs.replace(self.status, synced_at=snapshot.reading.true_at)
    _OFFER(self, snapshot)


def _one_key_forgotten(self: Snapshot, *arguments: Any, **named: Any) -> Snapshot:
    later = _WITH_CHANGES(self, *arguments, **named)
    touched = frozenset(sorted(later.home.touched)[1:])
    return Snapshot(msgspec.structs.replace(later.home, touched=touched), later.reading)


def _believed_done(self: ReplicaPass, comparison: Any) -> None:
    try:
        _APPLY(self, comparison)
    except ReplicaError:
        self.is_applied = True


def _taken_for_written(
    self: ReplicaMemory, operations: Any, settled: Any, wanted: Any, *, drops_replaced: bool
) -> None:
    _TAKE(self, operations, settled, wanted, drops_replaced=drops_replaced)
    self.versions = {key: wanted[key] for key in wanted}


def _only_the_new_name(data: Any) -> Hints:
    hints = _ENTITY_HINTS(data)
    return Hints(
        hints.relist,
        entity_ids=hints.entity_ids - {data.old_entity_id},
        removed_entity_ids=hints.removed_entity_ids,
    )


async def _hear_nothing(_self: WebsocketWatch) -> None:
    """What came before the answer is not waited for."""


async def _stale_heartbeat(self: WebsocketWatch) -> float | None:
    self.has_all_events = True
    return await _HEARTBEAT(self)


def _any_look_confirms(
    operation: Operation, desired: Snapshot, missed: Any, calendar: Calendar, seconds: float
) -> bool:
    now = calendar.look(desired.reading.taken_at)
    return operation.difference.applied is None or elapsed(missed.get(operation.key, now), now) >= seconds


def _guards_speak_late() -> Iterator[None]:
    def late(count: int, desired: Snapshot, *rest: Any) -> Any:
        return None if desired.reading.taken_at else _REFUSE_DELETES(count, desired, *rest)

    with mock.patch.object(guard, "_refuse_deletes", late):
        yield


def _every_read_is_trusted() -> Iterator[None]:
    with (
        mock.patch.object(guard, "untrusted_read", return_value=None),
        mock.patch.object(absences, "untrusted_read", return_value=None),
    ):
        yield


async def _losses_forgotten(self: WebsocketWatch, subscription: Any, read: Any) -> None:
    try:
        async for event in subscription:
            self.gather(read(event))
    except SourceError:
        self._changed.set()


async def _confirmed_over_hints(self: WebsocketWatch) -> float | None:
    asked_at = self._clock()
    await self._connection.command("ping")
    return asked_at if self.has_all_events else None


def _errors_of_writing_dropped(self: ReplicaPass) -> None:
    errors = dict(self._context.errors)
    _APPLY_WITH_ERRORS(self)
    self._context.errors = errors


def _waited_for_ever_longer(self: Informer, _error: Any, backoff: Any, **_: object) -> float:
    return float(backoff.longest_delay())


_APPLY_WITH_ERRORS = ReplicaPass.apply
_READ_FROM = WebsocketSource.read_from
_HEARTBEAT = WebsocketWatch.heartbeat
_OFFER = ReplicaController.offer
_WITH_CHANGES = Snapshot.with_changes
_APPLY = ReplicaPass._apply
_REFUSE_DELETES = guard._refuse_deletes
_TAKE = ReplicaMemory.take
_ENTITY_HINTS = registry_events._entity_hints

# By what is wrong with the engine then: how, and a seed whose history notices.
MUTANTS: dict[str, tuple[Mutant, int]] = {
    "recovery mode and other instances are believed": (
        _replaced(guard, "_refuse_everything", lambda *_: None),
        12,
    ),
    "lists of a starting or corrupt Home Assistant are believed": (
        _every_read_is_trusted,
        26,
    ),
    "a record is deleted when it is missed once": (_replaced(guard, "is_confirmed", lambda *_: True), 19),
    "a look at something else confirms an absence": (
        _replaced(guard, "is_confirmed", _any_look_confirms),
        619,
    ),
    "what is derived from missing records is written": (
        _replaced(guard, "depend_on_untrusted", lambda *_: set()),
        14,
    ),
    "guards speak when a delete is confirmed, and not before": (_guards_speak_late, 0),
    "renames go on although one of their chain is held": (
        _replaced(guard, "_with_followers", lambda stopped, _plan: stopped),
        486,
    ),
    "a read that no pass took is forgotten": (_replaced(Sightings, "add", lambda _self, read: read), 23),
    "a read that failed is taken to have listed nothing": (
        _replaced(Sightings, "fail", lambda _self: None),
        194,
    ),
    "a read is dated when it ends": (_replaced(WebsocketSource, "read_from", _dated_at_the_end), 4),
    "a heartbeat is dated when it is answered": (_replaced(WebsocketWatch, "heartbeat", _answered_at), 247),
    "events on their way are not waited for": (
        _replaced(WebsocketWatch, "_collect_events", _hear_nothing),
        555,
    ),
    "registries that cannot be followed are taken to be quiet": (
        _replaced(WebsocketWatch, "heartbeat", _stale_heartbeat),
        435,
    ),
    "a rename is looked for under its last name only": (
        _replaced(registry_events, "_entity_hints", _only_the_new_name),
        1,
    ),
    "a change is claimed when its event arrives": (
        _replaced(ReplicaController, "offer", _claimed_at_once),
        1,
    ),
    "a key that changed is forgotten": (_replaced(Snapshot, "with_changes", _one_key_forgotten), 3),
    "a write that failed is taken for done": (_replaced(ReplicaPass, "_apply", _believed_done), 50),
    "events beyond what is kept are not made up for": (
        _replaced(WebsocketWatch, "follow", _losses_forgotten),
        75,
    ),
    "a heartbeat confirms over unread hints": (
        _replaced(WebsocketWatch, "heartbeat", _confirmed_over_hints),
        0,
    ),
    "what waits to be written is not pending": (
        _replaced(ReplicaController, "_note_pending", lambda *_: None),
        4,
    ),
    "errors of writing are not reported": (_replaced(ReplicaPass, "apply", _errors_of_writing_dropped), 50),
    "a core that was away for long is left alone for long": (
        _replaced(Informer, "_delay_after", _waited_for_ever_longer),
        384,
    ),
    "what a pass left is not compared again": (
        _replaced(ReplicaMemory, "widened", lambda _self, since: since),
        0,
    ),
    "what was not allowed is taken for written": (_replaced(ReplicaMemory, "take", _taken_for_written), 1),
}


@contextmanager
def mutated(name: str) -> Iterator[None]:
    """The engine is wrong in this way while the block runs."""
    mutant, _ = MUTANTS[name]
    yield from mutant()
