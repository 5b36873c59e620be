"""Names of areas and floors, for rows that only have an area's id."""

from collections.abc import Mapping
from typing import NamedTuple

from api.ports import ReadTransaction

_ALL = 1_000_000


class Place(NamedTuple):
    """A record's area and floor; all None without an area."""

    area_name: str | None = None
    floor_id: str | None = None
    floor_name: str | None = None


NOWHERE = Place()
# By area id.
Places = Mapping[str | None, Place]
NO_PLACES: Places = {}


def places_now(transaction: ReadTransaction) -> Places:
    """The places from the rows. Call it in a job."""
    floors: dict[str | None, str | None] = dict(transaction.page("floor", ("name",), [], "", _ALL))
    areas = transaction.page("area", ("name", "floor_id"), [], "", _ALL)
    return {id_: Place(name, floor, floors.get(floor)) for id_, name, floor in areas}
