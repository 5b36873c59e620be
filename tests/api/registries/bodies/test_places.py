"""Where records are, now and then."""

from api.registries.bodies.places import Place, places_then
from engine.core.records.record import Area, Floor


def test_an_area_has_its_floors_name() -> None:
    records = [
        Floor(floor_id="up", name="Up"),
        Area(area_id="a", name="A", floor_id="up"),
        Area(area_id="b", name="B"),
    ]
    assert places_then({r.key: r for r in records}) == {
        "a": Place("A", "up", "Up"),
        "b": Place("B", None, None),
    }
