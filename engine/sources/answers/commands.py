"""The interface for sending commands to Home Assistant, and the error for a refused command."""

from typing import Protocol

import msgspec

from engine.errors import SourceInvalid


class CommandSender(Protocol):
    """Sends commands to Home Assistant: a connection."""

    async def command(self, command_type: str, /, **params: object) -> msgspec.Raw:
        """The result of a command. Raises CommandFailed and SourceError."""


class CommandFailed(SourceInvalid):
    """Home Assistant answered with an error; `code` is its own, such as unknown_command."""

    def __init__(self, command_type: str, code: str, message: str) -> None:
        hint = "Its user may not do this: let source.token_file hold another user's token."
        super().__init__(
            f"Home Assistant refused {command_type} with {code}: {message.rstrip('.')}.",
            hint if code == "unauthorized" else "",
        )
        self.command_type = command_type
        self.code = code
