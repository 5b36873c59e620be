"""Remembers the extended row that completed each row of a recorded entity list: a recording's files may be edited separately."""

from collections.abc import Iterable, Mapping

import msgspec

from engine.sources.unchanged.fingerprint import Fingerprint


class ExtendedRows:
    """The extended rows by the fingerprints of their list rows; keeps fingerprints only."""

    def __init__(self, fingerprint: Fingerprint, known: Mapping[bytes, bytes] | None = None) -> None:
        """`known` are the fingerprints of an earlier process."""
        self._fingerprint = fingerprint
        self._before = known or {}
        self._fresh: dict[bytes, bytes] = {}

    def note(self, listed: bytes, entity_id: str, row: msgspec.Raw) -> None:
        """Record that the list row of this fingerprint was completed by the extended row of an entity_id."""
        self._fresh[listed] = self._name(entity_id, row)

    def are_among(self, listed: Iterable[bytes], entries: Mapping[str, msgspec.Raw]) -> bool:
        """Whether the same extended rows, by entity_id, would complete these list rows as before."""
        found = {self._name(entity_id, row) for entity_id, row in entries.items()}
        return found.issuperset(map(self._all().get, listed))

    def keep(self, listed: Iterable[bytes]) -> bytes:
        """The concatenated fingerprints of the extended rows of these list rows."""
        known = self._all()
        return b"".join([known[name] for name in listed])

    def _all(self) -> dict[bytes, bytes]:
        """All of them at once, because every entity of a home needs its own."""
        return {**dict(self._before.items()), **self._fresh}

    def _name(self, entity_id: str, row: msgspec.Raw) -> bytes:
        return self._fingerprint.of(b"\0".join((entity_id.encode(), memoryview(row))))
