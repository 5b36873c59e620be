"""Which extended row each row of a recorded entity list was completed by: in a recording either may be edited alone."""

from collections.abc import Iterable, Mapping

import msgspec

from engine.sources.unchanged.fingerprint import Fingerprint


class ExtendedRows:
    """The extended rows by the fingerprints of their list rows; keeps fingerprints only."""

    def __init__(self, fingerprint: Fingerprint, known: Mapping[bytes, bytes] | None = None) -> None:
        """`known` are those of an earlier process."""
        self._fingerprint = fingerprint
        self._before = known or {}
        self._fresh: dict[bytes, bytes] = {}

    def note(self, listed: bytes, entity_id: str, row: msgspec.Raw) -> None:
        """The list row of this fingerprint was completed by the extended row under an entity_id."""
        self._fresh[listed] = self._name(entity_id, row)

    def are_among(self, listed: Iterable[bytes], entries: Mapping[str, msgspec.Raw]) -> bool:
        """Whether these list rows would be completed by the very same extended rows, by entity_id, as they were."""
        found = {self._name(entity_id, row) for entity_id, row in entries.items()}
        return found.issuperset(map(self._all().get, listed))

    def keep(self, listed: Iterable[bytes]) -> bytes:
        """The fingerprints of the extended rows of these list rows, one behind the other."""
        known = self._all()
        return b"".join([known[name] for name in listed])

    def _all(self) -> dict[bytes, bytes]:
        """All at once, because every entity of a home needs them."""
        return {**dict(self._before.items()), **self._fresh}

    def _name(self, entity_id: str, row: msgspec.Raw) -> bytes:
        return self._fingerprint.of(b"\0".join((entity_id.encode(), memoryview(row))))
