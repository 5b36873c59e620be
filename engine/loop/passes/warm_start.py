"""Starts a pass of a new process from the pass cache, and writes that cache for the next process.

A pass with a cache has the same result as one without: reading, comparing and guarding are the same, except that rows with
the same bytes as last time give the same records, and that a replica whose rows have the same digest as last time has the
same versions. A cache with anything odd about it is ignored.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeAlias

import msgspec

from engine import __version__
from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import HASH_VERSION, seed_of
from engine.core.records.record import Key
from engine.core.records.registries import REGISTRIES
from engine.core.words import Mode
from engine.errors import ReplicaError
from engine.loop.passes.homes import known_homes
from engine.loop.passes.ledger_entries import LedgerEntries
from engine.loop.passes.memory import ReplicaMemory, versions_of
from engine.loop.passes.options import PassOptions, Since
from engine.loop.passes.replica_pass import ReplicaPass
from engine.pass_cache.contents import Cache, CacheDamaged, CachedReplica, open_cache
from engine.pass_cache.learned import Learned, encode_learned
from engine.pass_cache.ports import CacheFile, NotesEqual, Recalling
from engine.pass_cache.seals import Piece
from engine.ports import Ledger, Replica, Source
from engine.process.offload import Offload, to_thread


class WarmStart:
    """The use of the cache in one pass. Call `begin` first, `keep` last."""

    def __init__(
        self,
        file: CacheFile | None,
        source: Source,
        ledger: Ledger,
        options: PassOptions,
        offload: Offload = to_thread,
    ) -> None:
        """Reads nothing yet. Without a `file` there is no cache."""
        self._file = file
        self._source = source if isinstance(source, Recalling) else None
        self._ledger = ledger
        self._options = options
        self._offload = offload
        self._cache: Cache | None = None
        self._before: Snapshot | None = None
        self._memories: dict[str, ReplicaMemory] = {}
        self._recalled = set[str]()  # replicas whose memory is of the cache's home
        self._states: dict[str, CachedReplica] = {}  # of unchanged replicas
        self._noted: tuple[CachedReplica, ...] = ()  # in the ledger, even without a cache
        self._replicas: dict[str, Replica] = {}
        self._looked: dict[str, tuple[int | None, str | None]] = {}  # data version and digest of the rows
        self._seed = 0  # of the replicas' digests

    @property
    def is_used(self) -> bool:
        """Whether the pass started from a cache."""
        return self._before is not None

    async def begin(self, replicas: Sequence[Replica]) -> None:
        """Start the source from the last pass's cache, and find the replicas that are unchanged since."""
        self._replicas = {replica.name: replica for replica in replicas}
        if self._file is None or self._source is None or self._options.mode not in (Mode.APPLY, Mode.DRY_RUN):
            return
        await self._offload(self._open)
        if not self._options.registries >= set(REGISTRIES):
            return
        for replica in replicas:
            # The pass itself reports the error.
            with suppress(ReplicaError):
                await self._offload(partial(self._recognise, replica))

    def _open(self) -> None:
        assert self._file is not None, "checked by the caller"
        assert self._source is not None, "checked by the caller"
        try:
            key = self._ledger.secret()
            text = self._ledger.equal_replicas() if isinstance(self._ledger, NotesEqual) else None
        except ReplicaError:
            return
        if key is None:
            return
        self._seed, self._noted = seed_of(key), _decode_noted(text)
        self._cache = open_cache(self._file.read, key, __version__)
        if self._cache is not None:
            self._before = self._source.recall(self._cache)

    def _recognise(self, replica: Replica) -> None:
        """Recall the memory of a replica whose rows and ledger entries are unchanged."""
        cached = self._cache.front.replicas if self._cache is not None and self._before is not None else ()
        if replica.name not in {state.name for state in (*cached, *self._noted)}:
            return
        data_version = replica.data_version()
        rows, ledger_digest = replica.digest(seed=self._seed), self._ledger.ledger_digest(replica.name)
        self._looked[replica.name] = data_version, rows
        found = CachedReplica(replica.name, rows or "", ledger_digest or "")
        if found not in (*cached, *self._noted) or self._is_exchanged(replica):
            return
        if found in cached:
            assert self._cache is not None, "a cached digest implies a cache"
            assert self._before is not None, "set together with the cache"
            front = self._cache.front
            # A home whose config entries were not read is identified by those that own its records, which have no rows.
            ids = front.entry_ids if "config_entry" in front.reading.registries else ()
            held = [Key("config_entry", id_) for id_ in ids]
            homes = known_homes(replica, self._ledger, held, _raise)
            versions, counts = versions_of(replica, self._before), self._before.home.counts
            memory = ReplicaMemory.recalled(data_version, versions, counts, homes)
            self._recalled.add(replica.name)
        else:
            # It held the versions in its ledger entries, and still does.
            applied = self._ledger.applied(replica.name)
            homes = known_homes(replica, self._ledger, applied, _raise)
            memory = ReplicaMemory.equal(data_version, applied, homes)
        self._memories[replica.name], self._states[replica.name] = memory, found

    def _is_exchanged(self, replica: Replica) -> bool:
        """Whether the ledger's entries are about another store than the settings name, even with the same rows. Raises ReplicaError."""
        entries = LedgerEntries(replica, self._ledger, self._options.places.get(replica.name))
        return not replica.keeps_ledger and entries.is_elsewhere()

    def forget(self) -> None:
        """Start over, without a cache."""
        assert self._source is not None, "only a pass that started from a cache forgets it"
        self._source.recall(None)
        self._cache = self._before = None
        self._memories, self._states, self._recalled = {}, {}, set()

    def memory_of(self, replica: Replica) -> ReplicaMemory | None:
        """The memory of a replica; None if it has to be read."""
        return self._memories.get(replica.name)

    def since(self, replica: Replica, desired: Snapshot) -> Since | None:
        """What may differ between a replica and the new read; None if everything may."""
        before = self._before
        if before is None or replica.name not in self._recalled:
            return None
        if desired.home.generation is before.home.generation:
            return Since(None, frozenset())
        return Since(None, desired.home.touched) if desired.home.base is before.home.generation else None

    async def check(self, passes: Sequence[ReplicaPass]) -> None:
        """Check the whole cache before writing anything that depends on it. Raises CacheDamaged."""
        if self._cache is not None and any(not _found_nothing(one) for one in passes):
            await self._offload(self._cache.check)

    async def keep(self, passes: Sequence[ReplicaPass]) -> None:
        """Write the cache for the next pass. Nothing depends on it."""
        if self._file is None or self._source is None or self._options.mode != Mode.APPLY:
            return
        compared = [one.comparison for one in passes if one.comparison is not None]
        is_refused = any(comparison.verdict.refused_whole for comparison in compared)
        if is_refused or not self._options.registries >= set(REGISTRIES):
            return  # the read is not of this home, or not every registry was compared
        with suppress(ReplicaError, CacheDamaged):
            await self._offload(partial(self._keep, passes))

    def _keep(self, passes: Sequence[ReplicaPass]) -> None:
        assert self._file is not None, "checked by the caller"
        assert self._source is not None, "checked by the caller"
        same = None if self._source.has_learned() else self._before
        learned = self._source.learned() if same is None else None
        snapshot = learned.snapshot if learned is not None else same
        states = self._states_after(passes, snapshot) if snapshot is not None else {}
        if same is not None and states == self._states:
            return
        pieces = self._encode(learned or self._source.learned(), states)
        if pieces is not None:
            self._file.write(pieces)
        else:
            self._file.remove()  # reading it would be useless
        if states and tuple(states.values()) != self._noted and isinstance(self._ledger, NotesEqual):
            self._ledger.note_equal_replicas(_encode_noted(states.values()))

    def _encode(self, learned: Learned | None, states: Mapping[str, CachedReplica]) -> list[Piece] | None:
        key = self._ledger.make_secret() if learned is not None else None
        if learned is None or key is None:
            return None
        before = self._cache if self.is_used else None
        return encode_learned(learned, states.values(), program=__version__, key=key, before=before)

    def _states_after(self, passes: Sequence[ReplicaPass], snapshot: Snapshot) -> dict[str, CachedReplica]:
        """The digests by which to recognise the replicas that hold exactly the records that were read."""
        equal = [one for one in passes if self._is_equal(one, snapshot)]
        fresh = [
            self._replicas[one.name]
            for one in equal
            if one.name not in self._states or not _found_nothing(one)
        ]
        ledger_digests = {replica.name: self._ledger.ledger_digest(replica.name) for replica in fresh}
        key = self._ledger.make_secret() if fresh else None
        self._seed = self._seed if key is None else seed_of(key)
        looked = {one.name: self._looked[one.name] for one in equal if self._is_as_looked(one)}
        # The ledger last: if its data version is unchanged, its digests are of the entries that were read.
        rows = {
            r.name: looked[r.name][1] if r.name in looked else r.digest(seed=self._seed, reread=False)
            for r in sorted(fresh, key=lambda r: r.keeps_ledger)
        }
        states: dict[str, CachedReplica] = {}
        for one in equal:
            name = one.name
            if name not in rows:
                states[name] = self._states[name]
            elif (digest := rows[name]) is not None and (ledger_digest := ledger_digests[name]) is not None:
                states[name] = CachedReplica(name, digest, ledger_digest)
        has_ledger = any(self._replicas[name].keeps_ledger for name in states)
        return states if has_ledger else {}

    def _is_as_looked(self, one: ReplicaPass) -> bool:
        """Whether the rows are still those of the first look, because none was written since."""
        version, digest = self._looked.get(one.name, (None, None))
        found = digest is not None and _found_nothing(one)
        return found and version == self._replicas[one.name].data_version()

    def _is_equal(self, one: ReplicaPass, snapshot: Snapshot) -> bool:
        memory, comparison = one.memory, one.comparison
        if memory is None or comparison is None or not one.is_applied:
            return False
        verdict = comparison.verdict
        if (
            verdict.refusals
            or verdict.held
            or verdict.waiting
            or comparison.plan.foreign
            or comparison.kept.keys
        ):
            return False
        is_as_before = snapshot is self._before and one.name in self._recalled and _found_nothing(one)
        return is_as_before or memory.is_equal(versions_of(self._replicas[one.name], snapshot))


def _found_nothing(one: ReplicaPass) -> bool:
    """Whether the pass found nothing to correct in a replica or its ledger entries."""
    if one.comparison is None:
        return True
    diff = one.comparison.plan.diff
    return not diff.differences and not diff.settled


def _raise(error: ReplicaError) -> None:
    raise error


# Versions are only comparable between programs with the same hash version.
_Noted: TypeAlias = tuple[int, tuple[CachedReplica, ...]]
_NOTED = msgspec.json.Decoder(_Noted)


def _encode_noted(states: Iterable[CachedReplica]) -> str:
    return msgspec.json.encode((HASH_VERSION, tuple(states))).decode()


def _decode_noted(text: str | None) -> tuple[CachedReplica, ...]:
    try:
        version, states = (0, ()) if text is None else _NOTED.decode(text)
    except msgspec.DecodeError:
        return ()  # another program may write there
    return states if version == HASH_VERSION else ()
