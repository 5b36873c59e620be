"""Every error of the engine. A user sees `message`, then `hint`; a program sees the class.

    EngineError                  message: what was tried, where, with which value; hint: what to change
    |- SettingsError             terminal   names the setting, the value given, what is allowed
    |  `- StoreHeld              terminal   another process keeps the store
    |- SourceError
    |  |- SourceUnavailable      transient  cannot connect, connection lost, timed out
    |  |- SourceRefused          terminal   token rejected
    |  `- SourceInvalid          terminal   not decodable, not a Home Assistant, not complete
    |- ReplicaError              carries the replica's name
    |  |- ReplicaUnavailable     transient  locked, disk full, unreachable
    |  |- HistoryForgotten       terminal   the requested time is before the edge of what was kept
    |  |- ReplicaRejected        terminal   read-only, newer schema, another program's
    |  |  |- ReplicaDamaged      terminal   not readable as a database
    |  |  `- OwnershipLost       terminal   another process keeps the home now
    |  `- ReplicaDiverged        transient  read back after the write, another value was there
    `- PlanStale                 terminal   a saved plan no longer describes what there is to do

A transient error is worth trying again as it is; a terminal one needs something changed first.
"""


class EngineError(Exception):
    """Base of all errors a user may see."""

    transient = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class SettingsError(EngineError):
    """A setting is unknown, unreadable or out of range."""


class StoreHeld(SettingsError):
    """Another process keeps the store."""


class SourceError(EngineError):
    """The desired state could not be read; no replica was touched."""


class SourceUnavailable(SourceError):
    """Home Assistant did not answer, or stopped answering."""

    transient = True


class SourceRefused(SourceError):
    """Home Assistant answered and does not let us in."""


class SourceInvalid(SourceError):
    """What was read is not a registry we can trust."""


class ReplicaError(EngineError):
    """A store could not be read or written."""

    # What the store asked to wait before anything else is sent.
    retry_after_seconds: float | None = None
    # Which of the records that were to be written the store does not hold so, as (registry, id); None: unknown.
    unwritten: frozenset[tuple[str, str]] | None = None

    def __init__(self, replica: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.replica = replica


class ReplicaUnavailable(ReplicaError):
    """The store is busy, full or away; it is as it was."""

    transient = True


class ReplicaRejected(ReplicaError):
    """The store cannot be used as it is."""


class ReplicaDamaged(ReplicaRejected):
    """The store's file is damaged, or no database at all."""


class OwnershipLost(ReplicaRejected):
    """This process does not own the home any more, so it writes nothing of it."""


class HistoryForgotten(ReplicaError):
    """The records store does not keep the home of that time any more; it does from `known_from` on, Unix seconds."""

    def __init__(self, replica: str, known_from: float, reason: str, known_from_text: str) -> None:
        super().__init__(
            replica, f"The home is known from {known_from_text} on; what was before is forgotten.", reason
        )
        self.known_from = known_from


class ReplicaDiverged(ReplicaError):
    """After the write, the store did not hold what was written."""

    transient = True


class PlanStale(EngineError):
    """A saved plan does not match what a fresh comparison finds."""
