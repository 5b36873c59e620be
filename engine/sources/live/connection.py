"""A logged-in websocket connection to Home Assistant: commands with answers, subscriptions with events.

The thin adapter between `HomeAssistantProtocol` and the `websockets` library. It must not know any
command's meaning, decode a result, or reconnect: a failed connection stays failed, and the caller opens
another if it needs one.

Invariants:
- One reader task, in the connection's own task group, receives every frame; nothing else receives.
- Once the connection has failed, everything waiting on it, now or later, raises the same SourceError.
- Callers see only plain EngineErrors: no library exception or exception group leaves this module.
"""

import math
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import anyio.lowlevel
import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from engine.errors import SourceError, SourceUnavailable
from engine.sources.answers.commands import CommandFailed
from engine.sources.ha_uri import websocket_uri
from engine.sources.live.failures import closed_failure, command_timeout, login_timeout
from engine.sources.live.protocol import (
    AuthRequired,
    CommandError,
    CommandResult,
    HomeAssistantProtocol,
    Message,
    Phase,
    SubscriptionEvent,
)
from engine.sources.live.sockets import close_socket, open_socket
from engine.sources.live.subscription import Subscription
from engine.sources.live.throttle import Throttle

MESSAGE_BYTES_MAX = 64 * 2**20
EVENTS_MAX = 4096  # Home Assistant itself drops a client that has this many messages waiting.
_MANY_MESSAGES = 100


class ConnectionLimits(msgspec.Struct, frozen=True):
    """The limits of a frame's size, an answer's delay, and the number of events waiting per subscription."""

    message_bytes_max: int
    timeout_seconds: float
    events_max: int


class _Waiter:
    """A command that was sent but not yet answered."""

    def __init__(self, command_type: str) -> None:
        self.command_type = command_type
        self.settled = anyio.Event()
        self.answer: CommandResult | CommandError | None = None


class Connection:
    """A logged-in connection. Any number of tasks may have commands in flight; made by `open_connection`."""

    def __init__(
        self,
        socket: ClientConnection,
        protocol: HomeAssistantProtocol,
        uri: str,
        limits: ConnectionLimits,
        throttle: Throttle,
    ) -> None:
        self._socket = socket
        self._protocol = protocol
        self._limits = limits
        self._throttle = throttle
        self._waiters: dict[int, _Waiter] = {}
        self._subscriptions: dict[int, Subscription] = {}
        self._failure: SourceError | None = None
        self.uri = uri

    @property
    def ha_version(self) -> str:
        """The core's version, such as 2026.11.0; empty when it did not report one."""
        return self._protocol.ha_version

    async def command(self, command_type: str, /, **params: object) -> msgspec.Raw:
        """Sends a command and returns its result as undecoded JSON, a slice of the whole answer.

        Raises CommandFailed when Home Assistant answers with an error, SourceUnavailable when it does not
        answer in time, and the connection's SourceError once it has failed. A late answer is ignored, and the
        connection stays usable.
        """
        return await self._exchange(command_type, params, None)

    async def subscribe(self, command_type: str, /, **params: object) -> Subscription:
        """Sends a command that subscribes, such as subscribe_events. Raises like `command`."""
        subscription = Subscription(self.check_open, self._limits.events_max)
        await self._exchange(command_type, params, subscription)
        return subscription

    def check_open(self) -> None:
        """Raises the connection's SourceError if it has failed."""
        if self._failure is not None:
            # A new one per caller: tasks that raise one shared exception overwrite each other's traceback.
            raise type(self._failure)(self._failure.message, self._failure.hint) from self._failure

    async def _exchange(
        self, command_type: str, params: dict[str, object], subscription: Subscription | None
    ) -> msgspec.Raw:
        self.check_open()
        command_id, text = self._protocol.send_command(command_type, **params)
        waiter = self._waiters[command_id] = _Waiter(command_type)
        if subscription is not None:
            # Before sending, since the first event may arrive in the same frame as the answer.
            subscription.id = command_id
            self._subscriptions[command_id] = subscription
        try:
            with anyio.move_on_after(self._limits.timeout_seconds):
                await self._send(text)
                await waiter.settled.wait()
        finally:
            del self._waiters[command_id]
            if not isinstance(waiter.answer, CommandResult):
                self._subscriptions.pop(command_id, None)
        match waiter.answer:
            case CommandResult(result=result):
                return result
            case CommandError(code=code, message=message):
                raise CommandFailed(command_type, code, message)
            case None:
                self.check_open()
                raise command_timeout(self.uri, command_type, self._limits.timeout_seconds)

    async def _send(self, text: str) -> None:
        # Ids must reach the server in order. That holds without a lock: send() writes a whole message
        # before it first suspends, and only then waits for the buffer to drain (websockets 17.4, seen
        # 2026-11-23).
        try:
            await self._socket.send(text)
        except ConnectionClosed as error:
            self._fail_closed(error)

    async def read(self) -> None:
        """Delivers every frame until the connection fails; `open_connection` runs this as the one reader."""
        try:
            while True:
                messages = self._protocol.receive(await self._socket.recv(decode=False))
                for message in messages:
                    self._deliver(message)
                if len(messages) >= _MANY_MESSAGES:
                    # The frames of a burst arrive without a wait between them: let other tasks run and read its events.
                    await anyio.lowlevel.checkpoint()
                if wait := self._throttle.wait_after(len(messages)):
                    await anyio.sleep(wait)
        except SourceError as error:
            self._fail(error)
        except ConnectionClosed as error:
            self._fail_closed(error)
        finally:
            # For callers that outlive the connection: nothing may wait for a reader that has ended.
            self._fail(SourceUnavailable(f"The connection to {self.uri} was closed by us."))

    def _deliver(self, message: Message) -> None:
        match message:
            case CommandResult(id=command_id) | CommandError(id=command_id):
                waiter = self._waiters.get(command_id)
                if waiter is not None:
                    waiter.answer = message
                    waiter.settled.set()
            case SubscriptionEvent(id=command_id, event=event):
                subscription = self._subscriptions.get(command_id)
                if subscription is not None:
                    subscription.put(event)

    def _fail_closed(self, error: ConnectionClosed) -> None:
        waiting = sorted({waiter.command_type for waiter in self._waiters.values()})
        doing = f"we waited for {', '.join(waiting)}" if waiting else "no command was pending"
        failure = closed_failure(error, self.uri, doing, self._limits.message_bytes_max)
        failure.__cause__ = error
        self._fail(failure)

    def _fail(self, failure: SourceError) -> None:
        # The first failure is the cause; later ones follow from it and would only hide it.
        if self._failure is None:
            self._failure = failure
        for waiter in self._waiters.values():
            waiter.settled.set()
        for subscription in self._subscriptions.values():
            subscription.wake()


@asynccontextmanager
async def open_connection(  # noqa: PLR0913 (options, by keyword)
    uri: str,
    token: str,
    *,
    message_bytes_max: int = MESSAGE_BYTES_MAX,
    timeout_seconds: float = 30.0,
    opening_seconds_max: float = math.inf,
    events_max: int = EVENTS_MAX,
    tls: ssl.SSLContext | None = None,
    messages_per_second_max: float | None = None,
) -> AsyncIterator[Connection]:
    """Connects to the Home Assistant at `uri`, logs in, yields the connection, and closes it at the end.

    `timeout_seconds` bounds the handshake, the login, and each command from its sending to the end of its answer;
    adding 20,000 entities blocks Home Assistant for 9 s, so only tests should use less than 30 s. `opening_seconds_max`
    bounds handshake and login further, for a caller that tries again at once. `message_bytes_max` bounds one frame
    after decompression: 20,000 entities are 13 MB. `tls` replaces the system's trusted authorities.
    `messages_per_second_max` bounds a flood.

    Raises SettingsError (uri or token unusable), SourceUnavailable, SourceRefused (token or address rejected) or
    SourceInvalid (not a Home Assistant). Never retry SourceRefused at once: every attempt is a failed login there.
    """
    address = websocket_uri(uri)
    protocol = HomeAssistantProtocol(token, address)
    opening_seconds = min(timeout_seconds, opening_seconds_max)
    socket = await open_socket(address, message_bytes_max, opening_seconds, timeout_seconds, tls)
    throttle = Throttle(messages_per_second_max)
    limits = ConnectionLimits(message_bytes_max, timeout_seconds, events_max)
    raised: BaseException | None = None
    try:
        await _log_in(socket, protocol, address, limits, opening_seconds)
        connection = Connection(socket, protocol, address, limits, throttle)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connection.read)
            await _offer_coalescing(connection)
            yield connection
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # The reader raises nothing, so this is the caller's exception, wrapped by the task group.
        raised = group.exceptions[0]
    finally:
        await close_socket(socket)
    if raised is not None:
        # Raised outside the except block, so that it keeps its original context.
        raise raised


async def _log_in(
    socket: ClientConnection,
    protocol: HomeAssistantProtocol,
    address: str,
    limits: ConnectionLimits,
    seconds: float,
) -> None:
    try:
        with anyio.fail_after(seconds):
            while protocol.phase is not Phase.READY:
                for message in protocol.receive(await socket.recv(decode=False)):
                    if isinstance(message, AuthRequired):
                        await socket.send(protocol.send_auth())
    except TimeoutError as error:
        raise login_timeout(address, seconds) from error
    except ConnectionClosed as error:
        raise closed_failure(error, address, "we logged in", limits.message_bytes_max) from error


async def _offer_coalescing(connection: Connection) -> None:
    # Bursts then arrive in a few frames instead of thousands. A core that does not know it works just as
    # well.
    with suppress(CommandFailed):
        await connection.command("supported_features", features={"coalesce_messages": 1})
