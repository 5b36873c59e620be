"""A key in another case is that of one row, or of none."""

from collections.abc import Iterable, Sequence
from unicodedata import normalize

import apsw
import pytest

from engine.replicas.rows.queries.spelled_keys import spelled_key

KEYS = ["light.a", "Light.B", "light.b", "Büro", "sensor.c"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("LIGHT.A", "light.a"),
        (" light.a ", "light.a"),
        ("ID-A", "light.a"),
        ("LIGHT.B", "LIGHT.B"),
        ("BÜRO", "Büro"),
        (normalize("NFD", "Büro"), "Büro"),
        ("light.none ", "light.none"),
        ("KÜCHE", "KÜCHE"),
    ],
)
def test_an_entity_is_found_in_any_case_if_only_one_is_meant(asked: str, found: str) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE entities (entity_id TEXT, id TEXT)")
    ids = {"light.a": "id-a", "sensor.c": "light.A-not"}
    connection.executemany("INSERT INTO entities VALUES (?, ?)", [(key, ids.get(key)) for key in KEYS])

    def read(condition: str, bindings: Sequence[str]) -> Iterable[Sequence[str]]:
        return connection.execute(f"SELECT entity_id FROM entities WHERE {condition}", bindings)

    assert spelled_key("entity", asked, read, lambda: KEYS) == found
