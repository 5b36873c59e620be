"""What reads of one Home Assistant remember of each other, in one process or, by a cache, in several."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from engine.core.cache.contents import Cache, Source
from engine.core.cache.learned import Learned
from engine.core.cache.recalled import recall
from engine.core.home.snapshot import Snapshot
from engine.sources.answers.command_results import SnapshotMaker
from engine.sources.answers.entity_rows import EntityRows
from engine.sources.answers.listing import ENTITIES
from engine.sources.unchanged.fingerprint import Fingerprint
from engine.sources.unchanged.recalled import RecalledList

if TYPE_CHECKING:
    from engine.sources.unchanged.row_map import RowMap


class RememberedAnswers:
    """The entities and the snapshot that answers made. `form` names where they come from: other answers are not theirs."""

    def __init__(self, form: str) -> None:
        """Nothing is known yet."""
        self._form = form
        self._forget()

    def _forget(self) -> None:
        self._fingerprint = Fingerprint()
        self.entities = EntityRows(self._fingerprint)
        self.snapshots = SnapshotMaker(self._fingerprint)
        self._ha_version: str | None = None
        self._recalled: dict[str, RowMap] = {}
        self._answers: dict[str, str] = {}  # digests of answers that are compared whole

    def begin(self, ha_version: str | None, *, aliases_ordered: bool) -> None:
        """Begin a read of a core of this version; another one may make other extended rows of the same list rows."""
        if self._ha_version not in (None, ha_version):
            self._forget()
        self._ha_version = ha_version
        self.entities.begin(aliases_ordered=aliases_ordered)

    def begin_with(self, answers: Mapping[str, msgspec.Raw | None]) -> None:
        """Begin a read with these answers: what is known was made with them, so it counts only if they are the same."""
        found = self._digests(answers)
        if self._answers and found != self._answers:
            self._forget()
            found = self._digests(answers)
        self._answers = found

    def _digests(self, answers: Mapping[str, msgspec.Raw | None]) -> dict[str, str]:
        return {
            name: "" if answer is None else self._fingerprint(answer).hex()
            for name, answer in answers.items()
        }

    def recall(self, cache: Cache | None) -> Snapshot | None:
        """Know what is in a cache, and return its snapshot; None, and nothing is known, when it is of other answers."""
        self._forget()
        if cache is None or cache.front.source.form != self._form:
            return None
        front = cache.front
        fingerprint = self._fingerprint = Fingerprint(front.source.seed)
        self.entities, self.snapshots = EntityRows(fingerprint), SnapshotMaker(fingerprint)
        snapshot = recall(cache)
        lists = [RecalledList(cache, place, snapshot, fingerprint) for place in range(len(front.lists))]
        self.snapshots.recall(snapshot, lists)
        for listed in lists:
            if listed.known.name == ENTITIES:
                ordered, scopes = front.source.aliases_ordered, front.source.scopes
                self.entities.recall(listed, aliases_ordered=ordered, scopes=scopes)
        self._recalled = {listed.known.name: listed.map for listed in lists}
        self._ha_version, self._answers = front.reading.health.ha_version, front.source.answers
        return snapshot

    def has_learned(self) -> bool:
        """Whether the last read found any list to be another one than was recalled."""
        found = {ENTITIES: self.entities.rows, **self.snapshots.rows.maps(self._other_lists())}
        return found.keys() != self._recalled.keys() or any(
            found[n] is not m for n, m in self._recalled.items()
        )

    def learned(self, snapshot: Snapshot) -> Learned | None:
        """What there is to keep of the last read, which made this snapshot; None where its rows say too little."""
        entities = self.entities.learned()
        if (
            entities is None
            or snapshot.health.ha_version is None
            or snapshot.set_aside
            or snapshot.partly_read
        ):
            return None
        source = Source(
            form=self._form,
            seed=self._fingerprint.seed,
            answers=self._answers,
            aliases_ordered=self.entities.aliases_ordered,
            scopes=self.entities.scope_counts,
        )
        return Learned(snapshot, source, (entities, *self.snapshots.rows.learned(self._other_lists())))

    def _other_lists(self) -> list[str]:
        return [name for name in self.snapshots.parts if name != ENTITIES]
