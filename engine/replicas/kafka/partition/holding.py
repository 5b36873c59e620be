"""The records in a partition's topics, by home: the version of each and the offset of its newest message.

Pure. Payloads are not kept: a record takes some 200 bytes.
"""

from collections.abc import Iterable

from engine.core.records.record import Key
from engine.errors import ReplicaRejected
from engine.replicas.kafka.messages import SiteKey, TopicEntry, decode_key, site_prefix, version_in
from engine.replicas.kafka.topics import TopicNames

_OFFSET_BYTES = 8
_ANY_SITE = b'{"site":"'


class SiteRecords:
    """The records of one home according to its messages."""

    def __init__(self) -> None:
        # By registry and id: a key object and two dictionary entries would take twice the memory.
        self._places: dict[str, dict[str, bytes]] = {}
        self._refused: dict[Key, ReplicaRejected] = {}

    def __len__(self) -> int:
        return sum(map(len, self._places.values()))

    @property
    def versions(self) -> dict[Key, str]:
        """The version of each record."""
        return {
            Key(registry, id_): packed[_OFFSET_BYTES:].decode()
            for registry, records in self._places.items()
            for id_, packed in records.items()
        }

    def version(self, key: Key) -> str | None:
        """The version of one record; None if there is no such record."""
        packed = self._places.get(key.registry, {}).get(key.id)
        return None if packed is None else packed[_OFFSET_BYTES:].decode()

    def offset(self, key: Key) -> int | None:
        """The offset of a record's newest message in its topic."""
        packed = self._places.get(key.registry, {}).get(key.id)
        return None if packed is None else int.from_bytes(packed[:_OFFSET_BYTES], "big")

    def check(self) -> None:
        """Raises ReplicaRejected while the home has a record that a newer program wrote."""
        for refusal in self._refused.values():
            raise ReplicaRejected(refusal.replica, refusal.message, refusal.hint)

    def fold(self, entry: TopicEntry, key: Key) -> None:
        """Process a message about one of the records."""
        try:
            version = version_in(entry, key)
        except ReplicaRejected as refusal:
            self._refused[key] = refusal
            return
        self.note(key, entry.offset, version)

    def note(self, key: Key, offset: int, version: str | None) -> None:
        """Note the offset of a record's newest message, and its version; None: the record was deleted."""
        self._refused.pop(key, None)
        records = self._places.setdefault(key.registry, {})
        if version is None:
            records.pop(key.id, None)
        else:
            records[key.id] = offset.to_bytes(_OFFSET_BYTES, "big") + version.encode()


class HeldPartition:
    """Built from all messages of a partition in order; later messages are added as they arrive."""

    def __init__(self, names: TopicNames, site: str | None = None) -> None:
        """With `site`, hold only that home's records and ignore other homes in its partition."""
        self._names = names
        self._only = None if site is None else site_prefix(site)
        self._sites: dict[str, SiteRecords] = {}
        self.strange = 0  # messages that no version of this program wrote
        self.first_strange: tuple[str, int] | None = None  # topic, offset

    def of(self, site: str) -> SiteRecords:
        """The records of one home."""
        records = self._sites.get(site)  # a home without records is empty, not absent
        return SiteRecords() if records is None else records

    def fold(self, entry: TopicEntry) -> SiteKey | None:
        """Process one message; returns the record that it is about, None if it is not about a record of these homes."""
        registry = self._names.registry(entry.topic)
        is_ours = self._only is None or (entry.key is not None and entry.key.startswith(self._only))
        if not is_ours and entry.key is not None and entry.key.startswith(_ANY_SITE):
            return None  # another home's message, which that home checks
        found = decode_key(entry.key, registry)
        if found is None or not is_ours:
            self.strange += 1
            self.first_strange = self.first_strange or (entry.topic, entry.offset)
            return None
        self._records(found.site).fold(entry, found.key)
        return found

    def note(self, one: SiteKey, entry: TopicEntry, version: str | None) -> None:
        """Process a message of ours with a known version."""
        self._records(one.site).note(one.key, entry.offset, version)

    def _records(self, site: str) -> SiteRecords:
        if (records := self._sites.get(site)) is None:
            records = self._sites[site] = SiteRecords()
        return records

    def changed_sites(self, before: "HeldPartition") -> list[str]:
        """The homes whose records changed."""
        sites = sorted(self._sites.keys() | before._sites.keys())  # noqa: SLF001 (one of the same kind)
        return [site for site in sites if self.of(site).versions != before.of(site).versions]

    def places(self, wanted: Iterable[SiteKey]) -> dict[str, dict[int, SiteKey]]:
        """The topic and offset of the newest messages of these records."""
        places: dict[str, dict[int, SiteKey]] = {}
        for one in wanted:
            if (offset := self.of(one.site).offset(one.key)) is not None:
                places.setdefault(self._names.of(one.key.registry), {})[offset] = one
        return places
