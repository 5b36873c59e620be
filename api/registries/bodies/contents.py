"""The contents of areas and labels: the number of entities, their domains, and the name of the area's floor."""

from collections.abc import Sequence

import msgspec

from api.ports import ReadTransaction
from api.registries.bodies.places import places_now
from api.registries.bodies.small import AreaBody, LabelBody

_ALL = 10_000_000


def with_contents(
    transaction: ReadTransaction, records: Sequence[msgspec.Struct]
) -> Sequence[msgspec.Struct]:
    """Areas and labels with their contents; other records unchanged. Call it in a job."""
    if any(isinstance(record, AreaBody) for record in records):
        return _areas(transaction, records)
    if any(isinstance(record, LabelBody) for record in records):
        counts = dict(transaction.facets("entity", ("label",), ())["label"])
        return [_with_count(record, counts) for record in records]
    return records


def _with_count(record: msgspec.Struct, counts: dict[str, int]) -> msgspec.Struct:
    assert isinstance(record, LabelBody), "one registry's records"
    return msgspec.structs.replace(record, entity_count=counts.get(record.label_id, 0))


def _areas(transaction: ReadTransaction, records: Sequence[msgspec.Struct]) -> list[msgspec.Struct]:
    counts: dict[str, int] = {}
    domains: dict[str, set[str]] = {}
    columns = ("effective_area_id", "area_id", "domain")
    for entity_id, effective, own, domain in transaction.page("entity", columns, [], "", _ALL):
        if area := effective or own:
            counts[area] = counts.get(area, 0) + 1
            domains.setdefault(area, set()).add(domain or entity_id.partition(".")[0])
    places = places_now(transaction)
    filled: list[msgspec.Struct] = []
    for record in records:
        assert isinstance(record, AreaBody), "one registry's records"
        place = places.get(record.area_id)
        filled.append(
            msgspec.structs.replace(
                record,
                floor_name=place.floor_name if place else None,
                entity_count=counts.get(record.area_id, 0),
                domains=sorted(domains.get(record.area_id, ())),
            )
        )
    return filled
