"""Where records are, now and then."""

from api.registries.bodies.places import Place, places_now
from engine.core.records.record import Area, Floor
from engine.replicas.rows.queries.in_memory import rows_in_memory


def test_an_area_has_its_floors_name() -> None:
    records = [
        Floor(floor_id="up", name="Up"),
        Area(area_id="a", name="A", floor_id="up"),
        Area(area_id="b", name="B"),
    ]
    rows = rows_in_memory({r.key: r for r in records}, {}, {r.key: 0.0 for r in records})
    assert places_now(rows) == {
        "a": Place("A", "up", "Up"),
        "b": Place("B", None, None),
    }
