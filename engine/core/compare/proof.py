"""Proof of a past agreement: what Home Assistant answered and what the rows held when they were equal.

A command begins with no memory. Where both sides still are, byte for byte, what they were when the engine last
made them equal, two digests say so, and no record has to be decoded, hashed or compared.
"""

import msgspec

from engine.core.home.reading import Health
from engine.core.home.record import Json


class Answer(msgspec.Struct, frozen=True):
    """A question to Home Assistant and the digest of its answer; None where it did not know the question."""

    command: str
    params: dict[str, Json]
    digest: str | None


class Etag(msgspec.Struct, frozen=True):
    """Names what was read, as HTTP's ETag does: equal answers mean an equal snapshot."""

    ha_version: str | None
    answers: tuple[Answer, ...]


class Unmodified(msgspec.Struct, frozen=True):
    """Home Assistant answers as it did: when it was asked (Unix seconds), and how it was."""

    taken_at: float
    health: Health


class Proof(msgspec.Struct, frozen=True):
    """What was read and what a replica held, in all its columns, when the engine had just made them equal.

    `program` is the version that wrote it: another one may derive other values from the same answers.
    """

    program: str
    etag: Etag
    rows: str  # digest
    count: int  # rows of all registries
