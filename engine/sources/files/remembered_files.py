"""What reads of one folder, or of one backup, remember of each other: files with the bytes of last time make the home of last time."""

from collections.abc import Mapping

from engine.core.home.reading import SourceHealth
from engine.core.home.snapshot import Snapshot
from engine.core.records.registries import REGISTRIES
from engine.pass_cache.contents import Cache, CachedSource, ListMap
from engine.pass_cache.learned import Learned, LearnedList
from engine.pass_cache.recalled import recall
from engine.sources.files.storage_files import ISSUES_FILE, StorageFiles, corrupt_stores_of, snapshot_of_files
from engine.sources.unchanged.fingerprint import Fingerprint


class RememberedFiles:
    """The last home that was read from files. `form` names where they are: others are not theirs."""

    def __init__(self, form: str) -> None:
        """Nothing is known yet."""
        self._form = form
        self.fingerprint = Fingerprint()
        self._answers: Mapping[str, str] = {}
        self._recalled: Snapshot | None = None
        self._newest: Snapshot | None = None

    def recall(self, cache: Cache | None) -> Snapshot | None:
        """Know what is in a cache, and return its snapshot; None, and nothing is known, when it is of other files."""
        self._newest = self._recalled = None
        if cache is None or cache.front.source.form != self._form:
            return None
        source = cache.front.source
        self.fingerprint, self._answers = Fingerprint(source.seed), source.answers
        self._recalled = recall(cache)
        return self._recalled

    def known(self, answers: Mapping[str, str]) -> Snapshot | None:
        """The home that files with these digests made; None where it is not known."""
        if self._recalled is not None and answers == self._answers:
            self._newest = self._recalled
            return self._recalled
        return None

    def note(self, answers: Mapping[str, str], snapshot: Snapshot) -> None:
        """Files with these digests made this home."""
        self._answers, self._newest = answers, snapshot

    def has_learned(self) -> bool:
        """Whether the last read found other files than were recalled."""
        return self._newest is not self._recalled

    def learned(self) -> Learned | None:
        """What there is to keep of the last read."""
        snapshot = self._newest
        if snapshot is None:
            return None
        keys = {name: [key for key in snapshot.home.records if key.registry == name] for name in REGISTRIES}
        source = CachedSource(form=self._form, seed=self.fingerprint.seed, answers=dict(self._answers))
        lists = tuple(LearnedList(ListMap(name, name, len(found)), found) for name, found in keys.items())
        return Learned(snapshot, source, lists)


def snapshot_of_remembered(
    remembered: RememberedFiles,
    files: StorageFiles,
    *,
    ha_version: str | None,
    taken_at: float,
    origin: str,
) -> Snapshot:
    """As `snapshot_of_files`, but what these very files made before is not made again. Raises SourceInvalid."""
    digest = remembered.fingerprint.of
    contents = {n: digest(file.content).hex() for n, file in files.contents.items() if n != ISSUES_FILE}
    answers = {**contents, "version": ha_version or "", "place": files.place}
    known = remembered.known(answers)
    if known is None:
        known = snapshot_of_files(files, ha_version=ha_version, taken_at=taken_at, origin=origin)
        remembered.note(answers, known)
        return known
    # Home Assistant's health is in other files, and in their names.
    corrupt_stores, unread = corrupt_stores_of(files)
    health = SourceHealth(ha_version=ha_version, corrupt_stores=corrupt_stores, unread=unread)
    return known.read_as(taken_at=taken_at, origin=origin, health=health)
