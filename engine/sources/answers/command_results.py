"""The results of Home Assistant's commands, and the snapshot made from them.

Shared by the live websocket and by recordings of it, which do not depend on each other. It must not decide what to
request, only what the results mean.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain

import msgspec

from engine.core.home.list_order import ORDERED_REGISTRIES, has_order, positions_of
from engine.core.home.reading import SourceHealth
from engine.core.home.snapshot import Snapshot, make_snapshot, version_of
from engine.core.home.unread import Unread
from engine.core.records.lenient import with_article
from engine.core.records.record import Json, Key, Record
from engine.core.records.registries import BY_NAME, CATEGORY, ENTITY, REGISTRIES
from engine.core.records.set_aside import SetAside, json_type, sorted_rows
from engine.errors import SourceInvalid
from engine.sources.answers.listing import ENTITIES, Known, Listing
from engine.sources.answers.mass_changes import corrupt_stores_of_issues, order_split
from engine.sources.answers.registry_rows import row_record
from engine.sources.json_text import decode_json
from engine.sources.unchanged.fingerprint import Fingerprint
from engine.sources.unchanged.recalled import RecalledList
from engine.sources.unchanged.row_cache import RowCache

GET_CONFIG = "get_config"
ENTITY_LIST = ENTITY.list_command
ENTITY_ENTRIES = "config/entity_registry/get_entries"
CATEGORY_LIST = CATEGORY.list_command
COMPOSITE_SPLITS = "config/device_registry/list_composite_splits"
LIST_ISSUES = "repairs/list_issues"

# The registries that one command lists, entities apart. Children before parents, so that a record added while they are
# listed is never referred to but missing. One removed meanwhile may be; the next pass corrects that.
LISTS = {
    registry.name: registry.list_command
    for registry in reversed(BY_NAME.values())
    if registry not in (CATEGORY, ENTITY)
}


class CoreConfig(msgspec.Struct, frozen=True):
    """The part of get_config that shows whether the lists can be trusted; its coordinates are not decoded.

    `unread` names the part that could not be read, if any.
    """

    version: str | None = None
    state: str | None = None
    recovery_mode: bool | None = None
    unread: str = ""


class _ConfigAnswer(msgspec.Struct):
    """The answer to get_config; its fields may have any type."""

    version: Json = None
    state: Json = None
    recovery_mode: Json = None


class _Issue(msgspec.Struct):
    issue_id: str = ""


class _Issues(msgspec.Struct):
    issues: list[_Issue]


class _Split(msgspec.Struct):
    split_ids: list[str]
    primary_id: str | None = None


_NO_ROWS = Listing()
_CONFIG = msgspec.json.Decoder(_ConfigAnswer)
_ISSUES = msgspec.json.Decoder(_Issues)
_GET_CONFIG_ANSWER = "The answer to get_config"
_SPLITS = msgspec.json.Decoder(dict[str, _Split])


class Failed(msgspec.Struct, frozen=True):
    """Why an answer that only shows whether the others can be trusted is missing."""

    why: str


class CommandResults(msgspec.Struct, frozen=True, kw_only=True):
    """The results of one read, undecoded except for entities; those of commands that the core does not know are absent.

    `configs` are the answers of get_config before and after the lists; `lists` has them by registry,
    `categories` by scope, and is None if there is no category registry. `missing` may give the reason why a registry is missing.
    """

    entities: Listing
    lists: dict[str, msgspec.Raw]
    categories: dict[str, msgspec.Raw] | None
    configs: tuple[CoreConfig, ...] = ()
    splits: msgspec.Raw | Failed | None = None
    issues: msgspec.Raw | Failed | None = None
    missing: Mapping[str, str] = {}


def decode_config(answer: msgspec.Raw) -> CoreConfig:
    """The core's state from get_config; an odd state makes the lists less trusted but does not fail the read.

    Raises SourceInvalid when it is unclear whether the core is in recovery mode: such a core does not list the home.
    """
    config = decode_json(_CONFIG, answer, _GET_CONFIG_ANSWER)
    if not isinstance(config.recovery_mode, bool | None):
        raise SourceInvalid(
            f"{_GET_CONFIG_ANSWER} has a recovery_mode that is {with_article(json_type(config.recovery_mode))}.",
            "Nothing was changed. Restart Home Assistant, and run again.",
        )
    is_odd = not isinstance(config.state, str | None)
    return CoreConfig(
        version=config.version if isinstance(config.version, str) else None,
        state=None if is_odd else config.state,
        recovery_mode=config.recovery_mode,
        unread=f"{_GET_CONFIG_ANSWER} has a state that is {with_article(json_type(config.state))}"
        if is_odd
        else "",
    )


class SnapshotMaker:
    """Makes the snapshots of one home, read after read."""

    def __init__(self, fingerprint: Fingerprint | None = None) -> None:
        self.rows = RowCache(fingerprint)
        self.parts: dict[str, Listing] = {}
        self._last: Snapshot | None = None
        self._odd: tuple[object, ...] = ([], {})  # set-aside rows and unread fields of the last parts

    def make(self, results: CommandResults, *, taken_at: float, origin: str) -> Snapshot:
        """The snapshot that the results make. Raises SourceInvalid when one cannot be read."""
        parts: dict[str, Listing] = {ENTITIES: results.entities}
        registries = {"entity", *results.lists}
        for registry, answer in results.lists.items():
            parts[registry] = self.rows.records(registry, answer, _maker(registry))
        if results.categories is not None:
            registries.add("category")
            for scope, answer in sorted(results.categories.items()):
                name = f"category {scope}"
                parts[name] = self.rows.records(name, answer, _maker("category", scope), "category")
        assert registries <= set(REGISTRIES)
        health, splits = read_health(results.configs, results.issues), _splits(results.splits)
        if isinstance(splits, Failed):
            health = msgspec.structs.replace(health, unread=(*health.unread, splits.why))
            splits = {}
        set_aside = [row for part in parts.values() for row in part.set_aside]
        positions = self._positions(parts, health.ha_version, set_aside)
        odd = (set_aside, results.entities.partly_read)
        # Among rows that share an id (the snapshot sets them aside) changes cannot be identified.
        are_known = self._last is None or self._last.home.set_aside == sorted_rows(set_aside)
        is_as_odd, self._odd = odd == self._odd and are_known, odd
        found = (parts, registries, health, splits, taken_at, positions)
        snapshot = self._from_last(*found) if is_as_odd else None
        if snapshot is None:
            known = list(chain.from_iterable(parts.values()))
            by_key = {row.key: row.record for row in known}
            snapshot = make_snapshot(
                records=by_key if len(by_key) == len(known) else [row.record for row in known],
                hashes={row.key: row.hash for row in known},
                taken_at=taken_at,
                origin=origin,
                registries=frozenset(registries),
                health=health,
                splits=splits,
                set_aside=set_aside,
                partly_read=results.entities.partly_read,
                positions=positions,
            )
        unread = _unread(results, registries)
        snapshot = snapshot.read_as(taken_at=taken_at, origin=origin, health=health, unread=unread)
        self.parts, self._last = parts, snapshot
        return snapshot

    def _positions(
        self, parts: dict[str, Listing], ha_version: str | None, set_aside: list[SetAside]
    ) -> Mapping[Key, int]:
        last, is_same = self._last, all(parts.get(n) is self.parts.get(n) for n in ORDERED_REGISTRIES)
        if last is not None and is_same and not (set_aside or self._odd[0]):
            is_same = last.reading.health.ha_version == ha_version
            return last.home.positions if is_same else list_positions(parts, ha_version)
        return list_positions(parts, ha_version, set_aside)

    def recall(self, snapshot: Snapshot, lists: Iterable[RecalledList]) -> None:
        """Start from the snapshot made from these lists."""
        self.rows.recall(listed for listed in lists if listed.known.name != ENTITIES)
        self.parts = {listed.known.name: listed.listing for listed in lists}
        self._last, self._odd = snapshot, ([], {})

    def _from_last(
        self,
        parts: dict[str, Listing],
        registries: set[str],
        health: SourceHealth,
        splits: dict[str, tuple[str, ...]],
        taken_at: float,
        positions: Mapping[Key, int],
    ) -> Snapshot | None:
        """The last snapshot with the changes since, keeping what was derived from the rest; None without a last one."""
        last = self._last
        if (
            last is None
            or last.reading.registries != registries
            or last.reading.splits != splits
            # Derived names depend on the version.
            or last.reading.health.ha_version != health.ha_version
        ):
            return None
        added: list[Known] = []
        gone: list[Known] = []
        for name in parts | self.parts:
            before, after = self.parts.get(name, _NO_ROWS), parts.get(name, _NO_ROWS)
            # The caches return the same listing object for identical bytes.
            if before is not after:
                new, old = after.changes_since(before)
                added, gone = added + new, gone + old
        count = sum(map(len, parts.values()))
        if not added and not gone and positions == last.home.positions:
            return last if len(last.home.records) == count else None
        keys = {row.key for row in added}
        changed = [(row.record, row.hash) for row in added]
        try:
            later = last.with_changes(
                changed,
                [row.key for row in gone if row.key not in keys],
                taken_at=taken_at,
                positions=positions,
            )
        except SourceInvalid:
            return None  # a duplicate entity_id, or key below: the constructor sets them aside
        return later if len(later.home.records) == count else None


def list_positions(
    lists: Mapping[str, Collection[Known]], ha_version: str | None, set_aside: Iterable[SetAside] = ()
) -> dict[Key, int]:
    """The user's order of areas and floors, as far as their lists were read and carry one."""
    if not has_order(version_of(ha_version)):
        return {}
    keys = {name: [row.key for row in lists.get(name, ())] for name in ORDERED_REGISTRIES}
    return positions_of(keys, set_aside)


def _maker(registry: str, scope: str = "") -> Callable[[msgspec.Raw], Record]:
    return lambda row: row_record(registry, row, scope=scope)


def _unread(results: CommandResults, registries: set[str]) -> Unread:
    scopes = None if results.categories is None else frozenset(results.categories)
    reasons = {
        registry: results.missing.get(registry)
        or f"this Home Assistant does not list the {registry} registry"
        for registry in REGISTRIES
        if registry not in registries
    }
    return Unread(reasons, scopes)


def read_health(configs: Sequence[CoreConfig], issues: msgspec.Raw | Failed | None) -> SourceHealth:
    """The health the core reported, the worse of two answers: it must have been well throughout."""
    states = [c.state for c in configs if c.state is not None]
    modes = [c.recovery_mode for c in configs if c.recovery_mode is not None]
    corrupt_stores = _corrupt_stores(issues)
    unread = dict.fromkeys(c.unread for c in configs if c.unread)
    if isinstance(corrupt_stores, Failed):
        unread[corrupt_stores.why] = None
    return SourceHealth(
        ha_version=next((c.version for c in configs if c.version), None),
        state=next((s for s in states if s != "RUNNING"), states[0] if states else None),
        recovery_mode=any(modes) if modes else None,
        corrupt_stores=() if isinstance(corrupt_stores, Failed) else corrupt_stores,
        unread=tuple(unread),
    )


def _corrupt_stores(issues: msgspec.Raw | Failed | None) -> tuple[str, ...] | Failed:
    if issues is None or isinstance(issues, Failed):
        return issues or ()
    try:
        listed = decode_json(_ISSUES, issues, "The answer to repairs/list_issues").issues
    except SourceInvalid as error:
        return Failed(error.message.rstrip("."))
    return corrupt_stores_of_issues(issue.issue_id for issue in listed)


def _splits(answer: msgspec.Raw | Failed | None) -> dict[str, tuple[str, ...]] | Failed:
    if answer is None or isinstance(answer, Failed):
        return answer or {}
    try:
        splits = decode_json(_SPLITS, answer, "The answer to list_composite_splits")
    except SourceInvalid as error:
        return Failed(error.message.rstrip("."))
    return {old: order_split(s.split_ids, s.primary_id) for old, s in sorted(splits.items())}
