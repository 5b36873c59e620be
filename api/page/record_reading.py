"""What the page of one device or entity is made of: its row now or its record then, and its timeline."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from api.http.problems import Problem
from api.page.reading import Reader
from api.page.templates import link
from api.page.views.home_index import (
    ENTITY_LINE_COLUMNS,
    PAST_REGISTRIES,
    EntityLine,
    HomeIndex,
    entities_of_past,
    entity_line,
    index_of_past,
)
from api.page.views.record import (
    VERSIONS_MAX,
    Fact,
    RecordView,
    device_facts,
    entity_facts,
    version_views,
)
from api.page.views.verdict import verdict_view
from api.past import in_timeline, read_home
from api.ports import Moment, Revision, Timeline
from api.registries import fate as fates
from api.registries.bodies import (
    DEVICE_COLUMNS,
    ENTITY_COLUMNS,
    device_of_record,
    device_of_row,
    entity_of_record,
    entity_of_row,
)
from api.registries.fate import find_fate
from engine.core.home.record import Device, Entity, Key
from engine.core.state.record_verdict import RecordVerdict, Verdicts
from engine.core.state.report import rfc3339
from engine.errors import ReplicaError

ENTITIES_MAX = 1000


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
    """A device by its id, or an entity by its entity_id (or registry id, once it is gone).

    Raises Problem 404 when there is and was none, 501 and ReplicaError as their stores do.
    """
    if at is None:
        asked = await _known_as(reader, registry, asked)
        look = _device_now if registry == "device" else _entity_now
        found = await reader.read(lambda moment, index: look(moment, index, asked))
    else:
        then = _device_then if registry == "device" else _entity_then
        found = await in_timeline(reader.given, lambda timeline: then(timeline, asked, at))
    missing = None
    try:
        revisions, total = await in_timeline(reader.given, lambda timeline: _versions(timeline, found.key))
    except (Problem, ReplicaError) as error:
        revisions, total, missing = [], 0, str(error)
    if found.is_gone and not revisions:
        raise await fates.missing(reader.given, registry, asked, f"There is no {registry} {asked[:255]!r}.")
    names = found.index.names
    verdicts = reader.given.verdicts()
    last_name = next((str(r.fields["name"]) for r in reversed(revisions) if r.fields.get("name")), asked)
    return RecordView(
        registry=registry,
        name=last_name if found.is_gone else found.name,
        facts=found.facts,
        entities=found.entities,
        versions=version_views(revisions, names),
        versions_total=total,
        versions_missing=missing,
        is_gone=found.is_gone,
        verdict=None if at is not None else verdict_view(_verdict(verdicts, found, revisions), names),
    )


def _verdict(verdicts: Verdicts, found: _Found, revisions: Sequence[Revision]) -> RecordVerdict:
    """The verdict on what is shown; of what is gone, since its last version."""
    written_at = found.written_at
    if found.is_gone and revisions:
        written_at = rfc3339(revisions[-1].at)
    return verdicts.of(found.key, entity_id=found.entity_id, written_at=written_at, has_row=not found.is_gone)


def _versions(timeline: Timeline, key: Key) -> tuple[Sequence[Revision], int]:
    """(those to show and the one before them, how many there are in all)."""
    return timeline.newest(key, VERSIONS_MAX + 1), timeline.count(key)


async def _known_as(reader: Reader, registry: str, asked: str) -> str:
    """The name or id under which a record is found that was once known as `asked`; else `asked` itself."""
    if registry != "entity":
        return asked

    def has_row(moment: Moment, _index: HomeIndex) -> bool:
        return bool(moment.row("entity", (), asked) or moment.rows("entity", (), [asked]))

    if await reader.read(has_row):
        return asked
    fate = await find_fate(reader.given, registry, asked)
    return asked if fate is None else fate.now_called or fate.id


def _device_now(moment: Moment, index: HomeIndex, id_: str) -> _Found:
    key = Key("device", id_)
    row = moment.row("device", (*DEVICE_COLUMNS, "effective_name", "effective_area_id"), id_)
    if row is None:
        return _Found(key, index, id_, [], None, is_gone=True)
    *columns, name, area_id = row
    device = device_of_row(tuple(columns), None)
    rows = moment.page("entity", ENTITY_LINE_COLUMNS, [("device_id", id_)], "", ENTITIES_MAX)
    entities = [entity_line(row) for row in rows]
    facts = [*_area(area_id or device.area_id, index), *device_facts(device, index.names)]
    return _Found(key, index, name or device.name or id_, facts, entities, written_at=device.timestamp)


def _entity_now(moment: Moment, index: HomeIndex, entity_id: str) -> _Found:
    row = moment.row("entity", (*ENTITY_COLUMNS, "effective_area_id"), entity_id)
    if row is None:
        # It may have another entity_id by now.
        found = moment.rows("entity", ("id",), [entity_id])
        if found:
            return _entity_now(moment, index, found[0][0])
        return _Found(Key("entity", entity_id), index, entity_id, [], None, is_gone=True)
    *columns, area_id = row
    id_ = columns[-1]
    entity = entity_of_row(tuple(columns), None)
    facts = [
        *_area(area_id or entity.area_id, index),
        *_device(entity.device_id, index),
        *entity_facts(entity, index.names),
    ]
    name = entity.friendly_name or entity_id
    key = Key("entity", id_ or entity_id)
    return _Found(key, index, name, facts, None, entity_id=entity_id, written_at=entity.timestamp)


def _device_then(timeline: Timeline, id_: str, at: datetime) -> _Found:
    home = read_home(timeline, at, PAST_REGISTRIES)
    key = Key("device", id_)
    record = home.records.get(key)
    if not isinstance(record, Device):
        raise Problem(404, f"There was no device {id_[:255]!r} at {at.isoformat()}.")
    index, derived = index_of_past(home), home.derived[key]
    device = device_of_record(record, derived, None, rfc3339(home.recorded_at[key]))
    facts = [*_area(derived.effective_area_id, index), *device_facts(device, index.names)]
    entities, _ = entities_of_past(home, (), ENTITIES_MAX, id_)
    return _Found(key, index, derived.effective_name or id_, facts, entities)


def _entity_then(timeline: Timeline, entity_id: str, at: datetime) -> _Found:
    home = read_home(timeline, at, PAST_REGISTRIES)
    for key, record in home.records.items():
        if isinstance(record, Entity) and entity_id in (record.entity_id, record.id):
            index, derived = index_of_past(home), home.derived[key]
            entity = entity_of_record(record, derived, None, rfc3339(home.recorded_at[key]))
            facts = [
                *_area(derived.effective_area_id, index),
                *_device(entity.device_id, index),
                *entity_facts(entity, index.names),
            ]
            return _Found(key, index, entity.friendly_name or entity_id, facts, None)
    raise Problem(404, f"There was no entity {entity_id[:255]!r} at {at.isoformat()}.")


def _area(area_id: str | None, index: HomeIndex) -> list[Fact]:
    if not area_id:
        return []
    return [Fact("area", index.areas.get(area_id, area_id), link("./", "home", area=area_id))]


def _device(device_id: str | None, index: HomeIndex) -> list[Fact]:
    if not device_id:
        return []
    name = index.names.get(("device", device_id), device_id)
    return [Fact("device", name, link("device", id=device_id))]
