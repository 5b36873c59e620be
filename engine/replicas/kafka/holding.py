"""What the topics hold of one home: of each record its version and where its newest message stands.

Pure. Payloads are not kept: 20,000 records take some 4 MB.
"""

from collections.abc import Iterable

from engine.core.records.record import Key
from engine.replicas.kafka.messages import TopicEntry, decode_key, site_prefix, version_in
from engine.replicas.kafka.topics import TopicNames


class HeldRecords:
    """Made by reading all messages in order; later ones are folded in."""

    def __init__(self, site: str, names: TopicNames) -> None:
        self._prefix = site_prefix(site)
        self._names = names
        self.versions: dict[Key, str] = {}
        self.offsets: dict[Key, int] = {}
        self.strange = 0  # messages that are no program's of this kind
        self.first_strange: tuple[str, int] | None = None  # topic, offset

    def fold(self, entry: TopicEntry) -> Key | None:
        """Take in one message; returns the record of this home that it is about. Raises ReplicaRejected for a newer schema."""
        registry = self._names.registry(entry.topic)
        is_ours = entry.key is not None and entry.key.startswith(self._prefix)
        if not is_ours and entry.key is not None and entry.key.startswith(b'{"site":"'):
            return None  # another home's, and its own to judge
        key = decode_key(entry.key, registry)
        if key is None or not is_ours:
            self.strange += 1
            self.first_strange = self.first_strange or (entry.topic, entry.offset)
            return None
        version = version_in(entry, key)
        if version is None:
            self.versions.pop(key, None)
            self.offsets.pop(key, None)
        else:
            self.versions[key] = version
            self.offsets[key] = entry.offset
        return key

    def places(self, keys: Iterable[Key]) -> dict[str, dict[int, Key]]:
        """Where the newest messages of these records stand, by topic and offset."""
        places: dict[str, dict[int, Key]] = {}
        for key in keys:
            if (offset := self.offsets.get(key)) is not None:
                places.setdefault(self._names.of(key.registry), {})[offset] = key
        return places
