"""What is in an area: its floor's name, how many entities there are, and of which domains."""

from collections.abc import Sequence

import msgspec

from api.ports import Moment
from api.registries.places import places_now
from api.registries.small import Area

_ALL = 10_000_000


def with_contents(moment: Moment, records: Sequence[msgspec.Struct]) -> Sequence[msgspec.Struct]:
    """Areas with what is effectively in each; other records as they are. Call it in a job."""
    areas = [record for record in records if isinstance(record, Area)]
    if not areas:
        return records
    counts: dict[str, int] = {}
    domains: dict[str, set[str]] = {}
    columns = ("effective_area_id", "area_id", "domain")
    for entity_id, effective, own, domain in moment.page("entity", columns, [], "", _ALL):
        if area := effective or own:
            counts[area] = counts.get(area, 0) + 1
            domains.setdefault(area, set()).add(domain or entity_id.partition(".")[0])
    places = places_now(moment)
    filled: list[msgspec.Struct] = []
    for area in areas:
        place = places.get(area.area_id)
        filled.append(
            msgspec.structs.replace(
                area,
                floor_name=place.floor_name if place else None,
                entity_count=counts.get(area.area_id, 0),
                domains=sorted(domains.get(area.area_id, ())),
            )
        )
    return filled
