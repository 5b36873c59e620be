"""A Home Assistant websocket server in this process, for adapters and passes to be tested against.

It listens on a loopback socket and follows what Home Assistant 2024.3.3 and 2026.11.0 were seen to do: the
login, ids that must increase (an unknown command does not use its id up), arrays of commands, coalesced
messages, events. What it answers is given by the test; everything it received is in `received`. It
never sleeps: delays are events to set.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

import anyio
from anyio.abc import TaskGroup
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

TOKEN = "fake-long-lived-access-token"
_MESSAGE_BYTES_MAX = 4 * 2**20  # What Home Assistant takes in one message.


@dataclass(frozen=True)
class Refusal:
    """An answer that is an error: success false, with Home Assistant's code and text."""

    code: str
    message: str = "Refused by the fake."


class Misbehaviour(Enum):
    """What may happen instead of the answer to a command."""

    CLOSE = auto()  # a Close frame with code 1000, as 2026.11 does when it stops
    ABORT = auto()  # the end of the TCP connection, as 2024.3.3 does
    TRUNCATE = auto()  # the first half of the answer
    NOT_UTF8 = auto()  # an answer with a broken byte in a name
    SILENCE = auto()  # nothing, ever


@dataclass
class _Client:
    socket: ServerConnection
    tasks: TaskGroup
    id_last: int = 0
    coalesces: bool = False
    subscriptions: dict[int, str] = field(default_factory=dict)

    async def send(self, messages: Sequence[Mapping[str, Any]]) -> None:
        if self.coalesces and len(messages) > 1:
            await self.socket.send(json.dumps(messages, ensure_ascii=False))
            return
        for message in messages:
            await self.socket.send(json.dumps(message, ensure_ascii=False))


@dataclass
class FakeHomeAssistant:
    """The running fake; every public attribute may be changed while it runs.

    `answers` maps a command type to its result: a JSON value, a Refusal, or a callable that takes the
    command's parameters and returns either. A type that is missing is an unknown command. `state` replaces
    the state in get_config's answer (there is a small answer if none is given). A command named in `hold`
    is answered when its event is set, while others overtake it; one named in `misbehave` is not answered
    properly. Event types in `forbidden` may not be followed by this user. `http_status` other than None refuses to open websockets; `greeting` replaces auth_required,
    `b""` being nothing at all.
    """

    answers: dict[str, Any]
    token: str
    ha_version: str
    uri: str = ""
    state: str | None = None
    hold: dict[str, anyio.Event] = field(default_factory=dict)
    misbehave: dict[str, Misbehaviour] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    http_status: int | None = None
    greeting: bytes | None = None
    received: list[dict[str, Any]] = field(default_factory=list)
    logins_failed: int = 0
    connections_total: int = 0
    _clients: list[_Client] = field(default_factory=list)
    _changed: anyio.Event = field(default_factory=anyio.Event)

    def count(self, command_type: str) -> int:
        """Returns how many commands of this type arrived."""
        return sum(command.get("type") == command_type for command in self.received)

    async def wait_until(self, reached: Callable[["FakeHomeAssistant"], bool]) -> None:
        """Waits until `reached(fake)`, looked at after every command and connection; fails after 10 s."""
        with anyio.fail_after(60):
            while not reached(self):
                self._changed = anyio.Event()
                await self._changed.wait()

    async def push(self, event_type: str, *datas: object) -> None:
        """Sends one event per data to every subscriber of the type, coalesced where the client asked for
        it.
        """
        for client in self._clients:
            for subscription, subscribed_type in client.subscriptions.items():
                if subscribed_type == event_type:
                    await client.send([self._event(subscription, event_type, data) for data in datas])

    async def disconnect(self, misbehaviour: Misbehaviour = Misbehaviour.CLOSE) -> None:
        """Drops every client: CLOSE with a Close frame, ABORT without."""
        for client in list(self._clients):
            await self._drop(client, misbehaviour)

    # What follows is the server's side.

    def _note_change(self) -> None:
        self._changed.set()

    def _event(self, subscription: int, event_type: str, data: object) -> dict[str, Any]:
        # config_entries/subscribe has no bus event behind it: its event is the bare list.
        bus_event = {"event_type": event_type, "data": data, "origin": "LOCAL"}
        event = data if event_type == "config_entries" else bus_event
        return {"id": subscription, "type": "event", "event": event}

    def _refuse_upgrade(self, socket: ServerConnection, _request: Request) -> Response | None:
        if self.http_status is None:
            return None
        return socket.respond(HTTPStatus(self.http_status), "<html>not a websocket</html>")

    async def _serve_client(self, socket: ServerConnection) -> None:
        self.connections_total += 1
        try:
            if not await self._log_in(socket):
                return
            async with anyio.create_task_group() as tasks:
                client = _Client(socket, tasks)
                self._clients.append(client)
                self._note_change()
                try:
                    async for frame in socket:
                        await self._take_frame(client, frame)
                finally:
                    self._clients.remove(client)
                    tasks.cancel_scope.cancel()
        except* ConnectionClosed:
            pass  # The client went away while something was being sent to it.
        self._note_change()

    async def _log_in(self, socket: ServerConnection) -> bool:
        greeting = json.dumps({"type": "auth_required", "ha_version": self.ha_version}).encode()
        if self.greeting is not None:
            greeting = self.greeting
        if greeting:
            await socket.send(greeting, text=True)
        answer = json.loads(await socket.recv())
        if answer != {"type": "auth", "access_token": self.token}:
            self.logins_failed += 1
            await socket.send('{"type":"auth_invalid","message":"Invalid access token or password"}')
            return False
        await socket.send(json.dumps({"type": "auth_ok", "ha_version": self.ha_version}))
        return True

    async def _take_frame(self, client: _Client, frame: str | bytes) -> None:
        decoded = json.loads(frame)
        replies: list[dict[str, Any]] = []
        for command in decoded if isinstance(decoded, list) else [decoded]:
            self.received.append(command)
            self._note_change()
            command_type = command.get("type")
            if command_type in self.hold:
                client.tasks.start_soon(self._reply_later, client, command, self.hold[command_type])
            elif command_type in self.misbehave:
                await self._misbehave(client, command, self.misbehave[command_type])
            else:
                replies += self._reply(client, command)
        await client.send(replies)

    async def _reply_later(self, client: _Client, command: dict[str, Any], released: anyio.Event) -> None:
        replies = self._reply(client, command)
        await released.wait()
        await client.send(replies)

    async def _misbehave(self, client: _Client, command: dict[str, Any], how: Misbehaviour) -> None:
        answer = json.dumps(self._reply(client, command)[0]).encode()
        match how:
            case Misbehaviour.TRUNCATE:
                await client.socket.send(answer[: len(answer) // 2], text=True)
            case Misbehaviour.NOT_UTF8:
                broken = b'{"id":%d,"type":"result","success":true,"result":["K\xfcche"]}' % command["id"]
                await client.socket.send(broken, text=True)
            case _:
                await self._drop(client, how)

    async def _drop(self, client: _Client, how: Misbehaviour) -> None:
        if how is Misbehaviour.CLOSE:
            await client.socket.close()
        elif how is Misbehaviour.ABORT:
            client.socket.transport.abort()

    def _reply(self, client: _Client, command: dict[str, Any]) -> list[dict[str, Any]]:
        """Returns the reply to one command, and the events that follow it at once."""
        command_id, command_type = command.get("id"), command.get("type")
        if type(command_id) is not int or command_id < 1 or not isinstance(command_type, str):
            return [_error(command_id, "invalid_format", "Message incorrectly formatted.")]
        if command_id <= client.id_last:
            return [_error(command_id, "id_reuse", "Identifier values have to increase.")]
        params = {name: value for name, value in command.items() if name not in ("id", "type")}
        answer = self._answer(client, command_id, command_type, params)
        if answer == Refusal("unknown_command", "Unknown command."):
            return [_error(command_id, "unknown_command", "Unknown command.")]
        client.id_last = command_id
        if command_type == "ping":
            return [{"id": command_id, "type": "pong"}]
        if isinstance(answer, Refusal):
            return [_error(command_id, answer.code, answer.message)]
        reply = {"id": command_id, "type": "result", "success": True, "result": answer}
        if command_type == "config_entries/subscribe":
            rows = self._own_answer("config_entries/get", {}) or []
            entries = [{"type": None, "entry": row} for row in rows]
            return [reply, self._event(command_id, "config_entries", entries)]
        return [reply]

    def _answer(self, client: _Client, command_id: int, command_type: str, params: dict[str, Any]) -> Any:
        if command_type in self.answers:
            return self._own_answer(command_type, params)
        match command_type:
            case "ping":
                return None
            case "supported_features":
                client.coalesces = bool(params.get("features", {}).get("coalesce_messages"))
                return None
            case "get_config":
                return self._own_answer(command_type, params)
            case "subscribe_events" if params.get("event_type") in self.forbidden:
                return Refusal("unauthorized", "Unauthorized")
            case "subscribe_events" | "config_entries/subscribe":
                client.subscriptions[command_id] = params.get("event_type", "config_entries")
                return None
            case "unsubscribe_events":
                known = client.subscriptions.pop(params["subscription"], None) is not None
                return None if known else Refusal("not_found", "Subscription not found.")
            case _:
                return Refusal("unknown_command", "Unknown command.")

    def _own_answer(self, command_type: str, params: dict[str, Any]) -> Any:
        answer = self.answers.get(command_type)
        if callable(answer):
            answer = answer(params)
        if command_type == "get_config" and not isinstance(answer, Refusal):
            config = answer or {"version": self.ha_version, "state": "RUNNING", "recovery_mode": False}
            answer = config if self.state is None else {**config, "state": self.state}
        return answer


def _error(command_id: object, code: str, message: str) -> dict[str, Any]:
    return {"id": command_id, "type": "result", "success": False, "error": {"code": code, "message": message}}


@asynccontextmanager
async def fake_home_assistant(
    answers: Mapping[str, Any] | None = None, *, token: str = TOKEN, ha_version: str = "2026.11.0"
) -> AsyncIterator[FakeHomeAssistant]:
    """Runs a fake on a free loopback port and yields it; `answers` are those of `FakeHomeAssistant`."""
    fake = FakeHomeAssistant(dict(answers or {}), token, ha_version)
    async with serve(
        fake._serve_client,
        "127.0.0.1",
        0,
        process_request=fake._refuse_upgrade,
        max_size=_MESSAGE_BYTES_MAX,
        close_timeout=1,
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        fake.uri = f"ws://127.0.0.1:{port}"
        yield fake
