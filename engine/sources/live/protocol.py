"""Home Assistant's websocket protocol as a state machine: frames in, messages and frames out.

It must not do I/O, read a clock, or decode what a command returns: `result` and `event` stay raw JSON,
because an answer of 13 MB is decoded once, later, by the code that knows its shape. A raw value is a slice that
keeps its whole frame in memory until it is dropped.

Invariants:
- Ids only grow; a reply is matched by its id, never by its place, since slow commands are overtaken.
- The token leaves through `send_auth` only; texts from the other side are redacted before they
  are shown.
- Malformed input raises SourceInvalid or SourceRefused and nothing else.

Facts about the protocol were recorded on Home Assistant 2024.3.3 and 2026.11.0 (seen 2026-11-23), and are
described at https://developers.home-assistant.io/docs/api/websocket.
"""

from enum import Enum

import msgspec

from engine.errors import SettingsError, SourceInvalid, SourceRefused
from engine.sources.json_text import decode_legible

_EXCERPT_CHARACTERS_MAX = 80
_NULL = msgspec.Raw(b"null")
_ABSENT = msgspec.Raw()


class Phase(Enum):
    """The progress of the login; commands may be sent once it is READY."""

    WAITING = "waiting for auth_required"
    AUTHENTICATING = "waiting for auth_ok"
    READY = "ready"
    REFUSED = "refused"


class AuthRequired(msgspec.Struct, frozen=True, tag=True):
    """The server waits for `send_auth`; it hangs up after 10 s without it."""


class AuthOk(msgspec.Struct, frozen=True, tag=True):
    """Logged in; `ha_version` is the core's version, empty when it did not report one."""

    ha_version: str


class CommandResult(msgspec.Struct, frozen=True, tag=True):
    """Command `id` succeeded; `result` is undecoded JSON (`null` for the pong of a ping)."""

    id: int
    result: msgspec.Raw


class CommandError(msgspec.Struct, frozen=True, tag=True):
    """Command `id` failed. Decide by `code`: the texts differ between versions."""

    id: int
    code: str
    message: str


class SubscriptionEvent(msgspec.Struct, frozen=True, tag=True):
    """Something happened; `id` is that of the command which subscribed, `event` is undecoded JSON."""

    id: int
    event: msgspec.Raw


Message = AuthRequired | AuthOk | CommandResult | CommandError | SubscriptionEvent


class _WireError(msgspec.Struct):
    code: str
    message: str = ""


class _WireMessage(msgspec.Struct):
    """Every message the server sends, as one shape; `type` decides which fields are used."""

    type: str
    id: int | None = None
    success: bool | None = None
    result: msgspec.Raw = _ABSENT
    event: msgspec.Raw = _ABSENT
    error: _WireError | None = None
    message: str = ""
    ha_version: str | None = None


class HomeAssistantProtocol:
    """One connection's side of the conversation.

    `peer` is how errors name the other side, normally its URI. Raises SettingsError when `token` cannot be
    an access token (empty, not ASCII, with white space or quotes).
    """

    def __init__(self, token: str, peer: str = "Home Assistant") -> None:
        # Checked here because the server refuses a token with a stray newline or byte order mark like
        # a wrong one, and then Home Assistant notifies its owner and may ban our address. Quotes would
        # change when encoded, so redaction would miss them.
        if not token or not token.isascii() or not token.isprintable() or any(c in token for c in ' "\\'):
            raise SettingsError(
                "The access token is empty or holds characters that no access token has.",
                "Check the file that source.token_file names.",
            )
        self._token = token
        self._peer = peer
        self._decoder = msgspec.json.Decoder(_WireMessage | list[_WireMessage])
        self._last_id = 0
        self._pending: set[int] = set()
        self.phase = Phase.WAITING
        self.ha_version = ""

    def __repr__(self) -> str:
        return f"<HomeAssistantProtocol {self.phase.value}, {len(self._pending)} commands pending>"

    def send_auth(self) -> str:
        """Returns the frame that answers AuthRequired. It holds the token: send it, never log it."""
        assert self.phase is Phase.AUTHENTICATING
        return msgspec.json.encode({"type": "auth", "access_token": self._token}).decode()

    def send_command(self, command_type: str, /, **params: object) -> tuple[int, str]:
        """Returns a new command's id and the frame to send. Frames must be sent in the order of their ids."""
        assert self.phase is Phase.READY
        command_id = self._last_id + 1
        text = msgspec.json.encode({"id": command_id, "type": command_type, **params}).decode()
        self._last_id = command_id
        self._pending.add(command_id)
        return command_id, text

    def receive(self, frame: str | bytes) -> list[Message]:
        """Returns the messages of one frame: one, or several when the server coalesces them.

        Messages of a type we do not know are left out once logged in, as Home Assistant's own client does,
        as is a second reply to the same command.

        Raises SourceRefused when the server rejects the token; SourceInvalid when the frame is not UTF-8,
        not JSON, not shaped like a message, or answers a command never sent. After either, the connection must be
        closed.
        """
        received: list[Message] = []
        for wire in self._decode(frame):
            message = self._take_ready(wire) if self.phase is Phase.READY else self._take_login(wire)
            if message is not None:
                received.append(message)
        return received

    def redact(self, text: str) -> str:
        """Returns `text` with the token masked; for texts from the other side, which might echo it."""
        return text.replace(self._token, "***")

    def _decode(self, frame: str | bytes) -> list[_WireMessage]:
        try:
            if isinstance(frame, bytes) and not frame.isascii():
                # msgspec does not look inside raw values, so broken UTF-8 would surface far from here.
                frame.decode()
            text = frame.encode() if isinstance(frame, str) else frame
            decoded = decode_legible(self._decoder, text)
        except (UnicodeDecodeError, UnicodeEncodeError) as error:
            # Not chained: it contains the whole frame.
            raise self._invalid(f"text that is not UTF-8 ({error.reason} at {error.start})", frame) from None
        except msgspec.ValidationError as error:
            raise self._invalid(f"what is not a Home Assistant message ({error})", frame) from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise self._invalid(f"what is not JSON ({error})", frame) from error
        return decoded if isinstance(decoded, list) else [decoded]

    def _take_login(self, wire: _WireMessage) -> Message:
        if wire.type == "auth_required" and self.phase is Phase.WAITING:
            self.phase = Phase.AUTHENTICATING
            self.ha_version = wire.ha_version or ""
            return AuthRequired()
        if wire.type == "auth_ok" and self.phase is Phase.AUTHENTICATING:
            self.phase = Phase.READY
            self.ha_version = wire.ha_version or self.ha_version
            return AuthOk(self.ha_version)
        if wire.type == "auth_invalid" and self.phase is Phase.AUTHENTICATING:
            self.phase = Phase.REFUSED
            raise SourceRefused(
                f"{self._peer} rejected the access token: {self._excerpt(wire.message)}.",
                "Create a long-lived access token in your Home Assistant profile and put it into the file "
                "that source.token_file names; inside an app, set homeassistant_api: true.",
            )
        raise self._invalid(f"a message of type {self._excerpt(wire.type)!r} while {self.phase.value}")

    def _take_ready(self, wire: _WireMessage) -> Message | None:
        if wire.type not in ("result", "event", "pong"):
            return None
        if wire.id is None or not 1 <= wire.id <= self._last_id:
            problem = f": {self._excerpt(wire.error.message)}" if wire.error else ""
            raise self._invalid(f"a message for command {wire.id}, which was never sent{problem}")
        if wire.type == "event":
            if wire.event is _ABSENT:
                raise self._invalid(f"an event without content for command {wire.id}")
            return SubscriptionEvent(wire.id, wire.event)
        if wire.id not in self._pending:
            return None
        self._pending.remove(wire.id)
        if wire.type == "pong":
            return CommandResult(wire.id, _NULL)
        return self._take_result(wire, wire.id)

    def _take_result(self, wire: _WireMessage, command_id: int) -> Message:
        if wire.success is True and wire.result is not _ABSENT:
            return CommandResult(command_id, wire.result)
        if wire.success is False and wire.error is not None:
            return CommandError(command_id, self._excerpt(wire.error.code), self._excerpt(wire.error.message))
        raise self._invalid(f"an incomplete result for command {command_id}")

    def _invalid(self, what: str, frame: str | bytes | None = None) -> SourceInvalid:
        beginning = "" if frame is None else f" It begins with: {self._excerpt(frame)!r}."
        return SourceInvalid(
            f"{self._peer} sent {what}.{beginning}",
            "Check that source.uri names a Home Assistant, and not another service or a proxy in front of it.",
        )

    def _excerpt(self, text: str | bytes) -> str:
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        # Masked before it is cut, because the cut could leave half a token visible.
        text = self.redact(text)
        if len(text) > _EXCERPT_CHARACTERS_MAX:
            text = text[:_EXCERPT_CHARACTERS_MAX] + "…"
        return " ".join(text.split())
