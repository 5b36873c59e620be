"""The websocket between the engine and Home Assistant, as a hostile network has it.

`Server` speaks Home Assistant's side of the protocol over sockets that exist in virtual time only, so that the
whole adapter of the engine is at work above them. What it answers is asked of the world at that instant.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any, Protocol

import anyio
import msgspec
import trio
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.frames import Close

TOKEN = "simulated-token"
# Home Assistant drops a client that has 4096 messages waiting; a small home has a small limit.
QUEUE_MAX = 40
EVENTS_MAX = 20  # what the engine keeps of one subscription


class Answering(Protocol):
    """Who knows the answers."""

    @property
    def version(self) -> str:
        """Home Assistant's version."""

    def answer(self, command: str, params: dict[str, Any]) -> Any:
        """The result of a command; raises Refused."""

    def may_follow(self, event_type: str) -> bool:
        """Whether this user may follow events of a type."""


class Refused(Exception):
    """Home Assistant answers a command with this error code."""


@dataclass
class Network:
    """How the network is. `latency` is drawn for every message; counts are of messages still to come."""

    latency: Callable[[], float] = lambda: 0.0
    closed: bool = False  # no listener at the port
    token_refused: bool = False
    silent: bool = False  # what is sent arrives nowhere
    drop_in: int | None = None  # messages until the line is cut
    cut_in: int | None = None  # messages until one arrives in half
    garble_in: int | None = None  # messages until one arrives with a broken byte


@dataclass
class Ambush:
    """What happens `before` or `after` one of the next commands is answered."""

    count: int  # commands until then
    command: str  # which to count; empty: all
    when: str
    happen: Callable[[], object]


@dataclass
class _Socket:
    """One connection, seen from the engine: the part of `websockets` that the adapter uses."""

    server: "Server"
    inbox: deque[tuple[float, bytes]] = field(default_factory=deque)
    subscriptions: dict[int, str] = field(default_factory=dict)
    arrived: anyio.Event = field(default_factory=anyio.Event)
    ended: Exception | None = None
    logged_in: bool = False
    coalesces: bool = False
    due: float = 0.0

    @property
    def transport(self) -> Any:
        return SimpleNamespace(abort=lambda: None)

    async def send(self, text: str) -> None:
        if self.ended is not None:
            raise self.ended
        for command in _commands(msgspec.json.decode(text)):
            self.server.take(self, command)

    async def recv(self, *, decode: bool) -> bytes:
        assert not decode
        while not self.inbox:
            if self.ended is not None:
                raise self.ended
            self.arrived = anyio.Event()
            await self.arrived.wait()
        due, _ = self.inbox[0]
        if due > trio.current_time():
            with trio.move_on_at(due):
                while self.ended is None:
                    self.arrived = anyio.Event()
                    await self.arrived.wait()
            if not self.inbox:  # dropped meanwhile, and all that was under way with it
                return await self.recv(decode=decode)
        frame = self.inbox.popleft()[1]
        return self._gather(frame) if self.coalesces else frame

    def _gather(self, frame: bytes) -> bytes:
        frames = [frame]
        now = trio.current_time()
        while self.inbox and self.inbox[0][0] <= now:
            frames.append(self.inbox.popleft()[1])
        return b"[" + b",".join(frames) + b"]" if len(frames) > 1 else frame

    async def close(self) -> None:
        self.end(polite=True)

    def put(self, message: object, *, late: float = 0.0) -> None:
        """Send a message to the engine; it arrives after all that were sent before."""
        if self.ended is not None or self.server.network.silent:
            return
        frame = self.server.spoil(msgspec.json.encode(message))
        if frame is None:
            self.end(polite=self.server.random.random() < 0.5)
            return
        self.due = max(self.due, trio.current_time() + self.server.network.latency() + late)
        self.inbox.append((self.due, frame))
        if len(self.inbox) > QUEUE_MAX:
            self.end(polite=False)
        self.arrived.set()

    def end(self, *, polite: bool) -> None:
        """Close the line, with a Close frame or without; what was under way is lost."""
        if self.ended is None:
            self.inbox.clear()
            normal = Close(1000, "")
            closed_ok = ConnectionClosedOK(normal, normal, rcvd_then_sent=True)
            self.ended = closed_ok if polite else ConnectionClosedError(None, None)
            self.server.forget(self)
            self.arrived.set()


class Server:
    """Home Assistant's end of every line."""

    def __init__(self, home: Answering, random: Random) -> None:
        self.home = home
        self.random = random
        self.network = Network()
        self.ambush: Ambush | None = None
        self.sockets: list[_Socket] = []
        self.last_open_at = 0.0  # virtual time at which a line was last known to be open

    async def connect(self, *_: object, **_options: object) -> Any:
        """What the adapter's `_connect` returns. Raises OSError as the operating system does."""
        await trio.sleep(self.network.latency())
        if self.network.closed:
            raise ConnectionRefusedError(111, "refused")
        socket = _Socket(self)
        self.sockets.append(socket)
        socket.put({"type": "auth_required", "ha_version": self.home.version})
        return socket

    @property
    def faults(self) -> int:
        """How many things keep a client from reading now."""
        network = self.network
        counts = (network.drop_in, network.cut_in, network.garble_in)
        return sum([network.closed, network.token_refused, network.silent, *(c is not None for c in counts)])

    def drop_all(self) -> None:
        """Close every line."""
        for socket in list(self.sockets):
            socket.end(polite=self.random.random() < 0.5)

    def calm(self) -> None:
        """The network is a good one from now on."""
        self.network = Network()
        self.ambush = None

    def forget(self, socket: _Socket) -> None:
        """The line is closed."""
        self.sockets.remove(socket)
        self.last_open_at = trio.current_time()

    def push(self, event_type: str, event: object, *, late: float = 0.0) -> bool:
        """Send an event to all who follow its type; returns whether anybody does."""
        reported = False
        for socket in list(self.sockets):
            for subscription, subscribed in list(socket.subscriptions.items()):
                if subscribed == event_type:
                    socket.put({"id": subscription, "type": "event", "event": event}, late=late)
                    reported = socket.ended is None
        return reported

    def spoil(self, frame: bytes) -> bytes | None:
        """The frame as it arrives; None when the line breaks instead."""
        network = self.network
        network.drop_in, drops = _count_down(network.drop_in)
        network.cut_in, cuts = _count_down(network.cut_in)
        network.garble_in, garbles = _count_down(network.garble_in)
        if drops:
            return None
        if cuts:
            return frame[: len(frame) // 2]
        return frame.replace(b'"', b'"\xfc', 1) if garbles else frame

    def take(self, socket: _Socket, command: dict[str, Any]) -> None:
        """One message of the engine."""
        if self.network.silent:
            return
        if not socket.logged_in:
            self._log_in(socket, command)
            return
        self._spring("before", command["type"])
        if socket.ended is not None:
            return
        command_id, kind = command.pop("id"), command.pop("type")
        self._answer(socket, command_id, kind, command)
        self._spring("after", kind)

    def _spring(self, when: str, command: str) -> None:
        """Let happen what was to happen around a command."""
        ambush = self.ambush
        if ambush is not None and when == ambush.when and ambush.command in ("", command):
            ambush.count -= 1
            if ambush.count < 0:
                self.ambush = None
                ambush.happen()

    def _answer(self, socket: _Socket, command_id: int, kind: str, command: dict[str, Any]) -> None:
        if kind == "ping":
            socket.put({"id": command_id, "type": "pong"})
            return
        try:
            result = self._run_steps(socket, command_id, kind, command)
        except Refused as error:
            reported = {"code": str(error), "message": "Refused."}
            socket.put({"id": command_id, "type": "result", "success": False, "error": reported})
            return
        socket.put({"id": command_id, "type": "result", "success": True, "result": result})
        if kind == "config_entries/subscribe":
            socket.put({"id": command_id, "type": "event", "event": [{"type": None, "entry": {}}]})

    def _run_steps(self, socket: _Socket, command_id: int, kind: str, params: dict[str, Any]) -> Any:
        match kind:
            case "supported_features":
                socket.coalesces = self.random.random() < 0.8
                return None
            case "subscribe_events":
                if not self.home.may_follow(params["event_type"]):
                    raise Refused("unauthorized")
                socket.subscriptions[command_id] = params["event_type"]
                return None
            case "config_entries/subscribe":
                socket.subscriptions[command_id] = "config_entries"
                return None
            case _:
                return self.home.answer(kind, params)

    def _log_in(self, socket: _Socket, message: dict[str, Any]) -> None:
        if message.get("access_token") != TOKEN or self.network.token_refused:
            socket.put({"type": "auth_invalid", "message": "Invalid access token or password"})
            return
        socket.logged_in = True
        socket.put({"type": "auth_ok", "ha_version": self.home.version})


def _commands(decoded: Any) -> list[dict[str, Any]]:
    return decoded if isinstance(decoded, list) else [decoded]


def _count_down(left: int | None) -> tuple[int | None, bool]:
    """What is left of a count, and whether it is over now."""
    if left is None:
        return None, False
    return (left - 1, False) if left else (None, True)
