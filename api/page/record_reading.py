"""Reads the data of a record's page: its row, now or at a time, its verdict and its timeline."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import msgspec

from api.http.problems import Problem
from api.page.last_version import last_facts, last_name
from api.page.own_pages import inside, own_page
from api.page.reading import Reader
from api.page.templates import link
from api.page.views.home_index import (
    ENTITY_LINE_COLUMNS,
    PAST_REGISTRIES,
    EntityLine,
    HomeIndex,
    entity_line,
    index_of_rows,
)
from api.page.views.record import (
    VERSIONS_MAX,
    Fact,
    RecordView,
    device_facts,
    entity_facts,
    plain_facts,
    version_views,
)
from api.page.views.verdict import VerdictView, verdict_view
from api.page.wording import Names, registry_text
from api.past import in_timeline, read_past
from api.past_homes import AskedRecord
from api.ports import PastRevision, ReadTransaction, Timeline
from api.registries import fate as fates
from api.registries.bodies.devices_and_entities import DEVICES, ENTITIES
from api.registries.bodies.small import SMALL
from api.registries.bodies.sync import since_text
from api.registries.fate import find_fate
from engine.core.records.record import Key
from engine.core.spelling import folded
from engine.core.state.kept_past import NOTHING_FORGOTTEN, Forgotten
from engine.core.state.record_verdict import Verdicts
from engine.core.times import rfc3339
from engine.errors import EngineError

ENTITIES_MAX = 1000
_NOT_IN_HOME_ASSISTANT = ("foreign", "gone")


class _Found(msgspec.Struct, frozen=True):
    """A record without its timeline."""

    key: Key
    index: HomeIndex
    name: str
    facts: list[Fact]
    entities: list[EntityLine] | None
    is_gone: bool = False
    entity_id: str | None = None
    written_at: str | None = None  # when the row was last written


async def read_record(reader: Reader, registry: str, asked: str, at: datetime | None) -> RecordView:
    """A record by its id; an entity by its entity_id, any that it ever had, or its registry id.

    Raises Problem 404 when it never existed, 501 without records, and the stores' ReplicaError.
    """
    verdicts = reader.context.verdicts()
    if at is None:
        asked = await _known_as(reader, registry, asked)
    found = await _find(reader, registry, asked, at)
    if at is None and found.is_gone and (key := verdicts.missing(asked, registry)) is not None:
        found = msgspec.structs.replace(found, key=key)
    without = None
    try:
        revisions, total, forgotten = await in_timeline(
            reader.context, lambda timeline: _versions(timeline, found.key)
        )
    except (Problem, EngineError) as error:
        revisions, total, forgotten, without = [], 0, NOTHING_FORGOTTEN, str(error)
    names = found.index.names
    if found.is_gone:
        name = verdicts.name_of(found.key)
        if not revisions and name is None:
            raise await fates.missing(
                reader.context, registry, asked, f"There is no {registry_text(registry)} {asked[:255]!r}."
            )
        facts = last_facts(found.key, revisions, names) or [Fact("id", found.key.id)]
        found = msgspec.structs.replace(found, name=last_name(revisions) or name or asked, facts=facts)
    return RecordView(
        registry=registry_text(registry),
        name=found.name,
        facts=found.facts,
        entities=found.entities,
        versions=version_views(revisions, names, is_all_known=forgotten.known_from is None),
        versions_total=total,
        versions_missing=without,
        versions_forgotten=forgotten.sentence,
        is_gone=found.is_gone,
        verdict=None if at is not None else _verdict(verdicts, found, revisions, names),
        inside={} if found.is_gone else inside(found.key, found.facts),
        home_assistant=_own_page(reader, verdicts, found, asked),
    )


async def _find(reader: Reader, registry: str, asked: str, at: datetime | None) -> _Found:
    """The record now, which may be gone, or at a time. Raises Problem 404 when there was none then."""
    look = _LOOKS.get(registry) or partial(_small, registry)
    if at is None:
        return await reader.read(lambda transaction, index: look(transaction, index, asked))
    found = await read_past(
        reader.context,
        at,
        (*PAST_REGISTRIES, registry),
        lambda transaction: look(
            transaction, index_of_rows(transaction), _spelled(transaction, registry, asked)
        ),
        AskedRecord(registry, asked),
    )
    if found.is_gone:
        what = f"{registry_text(registry)} {asked[:255]!r}"
        raise Problem(404, f"There was no {what} at {rfc3339(at.timestamp())}.")
    return found


def _own_page(reader: Reader, verdicts: Verdicts, found: _Found, asked: str) -> str | None:
    if found.is_gone or verdicts.of(found.key, entity_id=found.entity_id).state in _NOT_IN_HOME_ASSISTANT:
        return None
    return own_page(reader.context.home_assistant_url, found.key, asked)


def _verdict(
    verdicts: Verdicts, found: _Found, revisions: Sequence[PastRevision], names: Names
) -> VerdictView:
    """The verdict on the record; for one that is gone, since its last version."""
    written_at = found.written_at
    if found.is_gone and revisions:
        written_at = rfc3339(revisions[-1].at)
    verdict = verdicts.of(found.key, entity_id=found.entity_id, has_row=not found.is_gone)
    return verdict_view(verdict, since_text(verdict, written_at), names)


def _versions(timeline: Timeline, key: Key) -> tuple[Sequence[PastRevision], int, Forgotten]:
    """(the versions to show and the one before them, the number of all, what was forgotten)."""
    return timeline.newest(key, VERSIONS_MAX + 1), timeline.count(key), timeline.forgotten(key)


async def _known_as(reader: Reader, registry: str, asked: str) -> str:
    """The current name or id of the record once known as `asked`, in any case; else `asked` itself."""

    def look(transaction: ReadTransaction, _index: HomeIndex) -> tuple[str, bool]:
        known = _spelled(transaction, registry, asked)
        return known, bool(transaction.row(registry, (), known))

    known, has_row = await reader.read(look)
    fate = None if has_row else await find_fate(reader.context, registry, known)
    if fate is None or (registry != "entity" and folded(fate.id) != folded(known)):
        return known
    return fate.now_called or fate.id


def _spelled(transaction: ReadTransaction, registry: str, asked: str) -> str:
    return asked if transaction.row(registry, (), asked) else transaction.spelled(registry, asked)


def _device(transaction: ReadTransaction, index: HomeIndex, id_: str) -> _Found:
    key = Key("device", id_)
    row = transaction.row("device", DEVICES.columns, id_)
    if row is None:
        return _Found(key, index, id_, [], None, is_gone=True)
    device = DEVICES.of_row(row)
    rows = transaction.page("entity", ENTITY_LINE_COLUMNS, [("device_id", id_)], "", ENTITIES_MAX)
    entities = [entity_line(row) for row in rows]
    facts = [*_area_fact(device.effective_area_id, index), *device_facts(device, index.names)]
    return _Found(key, index, device.effective_name or id_, facts, entities, written_at=device.timestamp)


def _entity(transaction: ReadTransaction, index: HomeIndex, entity_id: str) -> _Found:
    row = transaction.row("entity", ENTITIES.columns, entity_id)
    if row is None:
        # It may have another entity_id now.
        found = transaction.rows("entity", ("id",), [entity_id])
        if found:
            return _entity(transaction, index, found[0][0])
        return _Found(Key("entity", entity_id), index, entity_id, [], None, is_gone=True)
    entity = ENTITIES.of_row(row)
    facts = [
        *_area_fact(entity.effective_area_id, index),
        *_device_fact(entity.device_id, index),
        *entity_facts(entity, index.names),
    ]
    name = entity.friendly_name or entity_id
    key = Key("entity", entity.id or entity_id)
    return _Found(key, index, name, facts, None, entity_id=entity_id, written_at=entity.timestamp)


def _area_fact(area_id: str | None, index: HomeIndex) -> list[Fact]:
    if not area_id:
        return []
    return [Fact("area", index.areas.get(area_id, area_id), link("./", "home", area=area_id))]


def _device_fact(device_id: str | None, index: HomeIndex) -> list[Fact]:
    if not device_id:
        return []
    name = index.names.get(("device", device_id), device_id)
    return [Fact("device", name, link("device", id=device_id))]


def _small(registry: str, transaction: ReadTransaction, index: HomeIndex, id_: str) -> _Found:
    body = SMALL[registry]
    row = transaction.row(registry, body.columns, id_)
    if row is None:
        return _Found(Key(registry, id_), index, id_, [], None, is_gone=True)
    shown = body.of_row(row)
    fields = {name: value for name, value in msgspec.structs.asdict(shown).items() if name != "sync"}
    written_at = fields.pop("timestamp")
    name = fields.get("name") or fields.get("title") or id_
    facts = plain_facts(msgspec.to_builtins(fields), index.names)
    return _Found(Key(registry, id_), index, str(name), facts, None, written_at=written_at)


_LOOKS = {"device": _device, "entity": _entity}
