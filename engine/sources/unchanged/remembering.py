"""What reads of one Home Assistant remember from earlier ones, in one process or, through a cache, across processes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from engine.core.home.snapshot import Snapshot
from engine.pass_cache.contents import Cache, CachedSource
from engine.pass_cache.learned import Learned
from engine.pass_cache.recalled import recall
from engine.sources.answers.command_results import CommandResults, SnapshotMaker
from engine.sources.answers.entity_rows import EntityRows
from engine.sources.answers.listing import ENTITIES
from engine.sources.unchanged.extended_rows import ExtendedRows
from engine.sources.unchanged.fingerprint import Fingerprint
from engine.sources.unchanged.recalled import RecalledList

if TYPE_CHECKING:
    from engine.sources.unchanged.row_map import RowMap


class RememberedAnswers:
    """The entities and the snapshot made from answers. `form` names their origin: a cache from another one is not used."""

    def __init__(self, form: str, *, are_extended_apart: bool = False) -> None:
        """Start without anything known. `are_extended_apart`: extended rows may change although their list rows do not."""
        self._form = form
        self._are_extended_apart = are_extended_apart
        self.forget()

    def forget(self) -> None:
        """Forget everything."""
        self._newest: Snapshot | None = None
        self._answers: dict[str, str] = {}  # digests of answers that are compared as a whole
        self._fingerprint = Fingerprint()
        extended = ExtendedRows(self._fingerprint) if self._are_extended_apart else None
        self.entities = EntityRows(self._fingerprint, extended)
        self._snapshots = SnapshotMaker(self._fingerprint)
        self._ha_version: str | None = None
        self._recalled: dict[str, RowMap] = {}

    def begin(self, ha_version: str | None, *, aliases_ordered: bool) -> None:
        """Begin a read from a core of this version; another version may return other extended rows for the same list rows."""
        if self._ha_version not in (None, ha_version):
            self.forget()
        self._ha_version = ha_version
        self.entities.begin(aliases_ordered=aliases_ordered)

    def begin_with(self, answers: Mapping[str, msgspec.Raw | None]) -> bool:
        """Begin a read with these answers; returns whether everything known was made with the same answers."""
        before, self._answers = self._answers, self._digests(answers)
        return not before or before == self._answers

    def _digests(self, answers: Mapping[str, msgspec.Raw | None]) -> dict[str, str]:
        return {
            name: "" if answer is None else self._fingerprint(answer).hex()
            for name, answer in answers.items()
        }

    def recall(self, cache: Cache | None) -> Snapshot | None:
        """Take over a cache and return its snapshot; None, and nothing is taken over, when it is of other answers."""
        self.forget()
        if cache is None or cache.front.source.form != self._form:
            return None
        front = cache.front
        fingerprint = self._fingerprint = Fingerprint(front.source.seed)
        snapshot = recall(cache)
        lists = [RecalledList(cache, place, snapshot, fingerprint) for place in range(len(front.lists))]
        known = next((listed.extended for listed in lists if listed.known.name == ENTITIES), None)
        extended = ExtendedRows(fingerprint, known) if self._are_extended_apart else None
        self.entities, self._snapshots = EntityRows(fingerprint, extended), SnapshotMaker(fingerprint)
        self._snapshots.recall(snapshot, lists)
        for listed in lists:
            if listed.known.name == ENTITIES:
                ordered, scopes = front.source.aliases_ordered, front.source.scopes
                self.entities.recall(listed, aliases_ordered=ordered, scopes=scopes)
        self._recalled = {listed.known.name: listed.map for listed in lists}
        self._ha_version, self._answers = front.reading.health.ha_version, front.source.answers
        return snapshot

    def has_learned(self) -> bool:
        """Whether the last read found any list to differ from the recalled one."""
        found = {ENTITIES: self.entities.rows, **self._snapshots.rows.maps(self._other_lists())}
        return found.keys() != self._recalled.keys() or any(
            found[n] is not m for n, m in self._recalled.items()
        )

    def make(self, results: CommandResults, *, taken_at: float, origin: str) -> Snapshot:
        """The snapshot of the results; see `SnapshotMaker.make`."""
        self._newest = self._snapshots.make(results, taken_at=taken_at, origin=origin)
        return self._newest

    def learned(self) -> Learned | None:
        """What to keep of the last read; None if equal answers would not imply an equal home."""
        snapshot, entities = self._newest, self.entities.learned()
        if (
            snapshot is None
            or entities is None
            or snapshot.reading.health.ha_version is None
            or snapshot.home.set_aside
            or snapshot.home.partly_read
        ):
            return None
        source = CachedSource(
            form=self._form,
            seed=self._fingerprint.seed,
            answers=self._answers,
            aliases_ordered=self.entities.aliases_ordered,
            scopes=self.entities.scope_counts,
        )
        return Learned(snapshot, source, (entities, *self._snapshots.rows.learned(self._other_lists())))

    def _other_lists(self) -> list[str]:
        return [name for name in self._snapshots.parts if name != ENTITIES]
