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
    `- PlanStale                 terminal   a saved plan no longer matches a fresh one

A transient error may be retried unchanged; a terminal one needs something changed first.
"""


class EngineError(Exception):
    """The base of all errors that a user may see."""

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
    """Home Assistant answered and refuses access.

    `is_login`: it refused the token, so every attempt is a failed login in Home Assistant.
    """

    is_login = True


class SourceInvalid(SourceError):
    """The read data is not a registry that we can trust."""


class ReplicaError(EngineError):
    """A store could not be read or written."""

    # The wait that the store requested before the next request, seconds.
    retry_after_seconds: float | None = None
    # The records, as (registry, id), that the store does not hold as intended; None: unknown.
    unwritten: frozenset[tuple[str, str]] | None = None

    def __init__(self, replica: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.replica = replica


class ReplicaUnavailable(ReplicaError):
    """The store is busy, full or unreachable; it is unchanged."""

    transient = True


class ReplicaRejected(ReplicaError):
    """The store cannot be used in its present state."""


class ReplicaDamaged(ReplicaRejected):
    """The store's file is damaged, or not a database."""


class OwnershipLost(ReplicaRejected):
    """This process no longer owns the home, so it writes nothing of it."""


class HistoryForgotten(ReplicaError):
    """The records store no longer keeps the home of that time, only from `known_from` on, Unix seconds."""

    def __init__(self, replica: str, known_from: float, reason: str, known_from_text: str) -> None:
        super().__init__(
            replica, f"The home is known from {known_from_text} on; what was before is forgotten.", reason
        )
        self.known_from = known_from


class ReplicaDiverged(ReplicaError):
    """After a write, the store did not hold the written values."""

    transient = True


class PlanStale(EngineError):
    """A saved plan does not match what a fresh comparison finds."""
