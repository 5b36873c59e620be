"""The texts that a search covers: every name, id and model of a row, by any writer, and its earlier names."""

import apsw
import pytest

from engine.replicas.rows.queries.conditions import TEXTS
from engine.replicas.rows.queries.search_texts import read_texts, with_all

ALL_OF = {"a": "lamp\nkitchen", "b": "lamp\nattic", "c": "kitchen table"}
_FEED = "CREATE TABLE reconcile_changes (seq INTEGER, op, registry, id, before)"


@pytest.fixture
def connection() -> apsw.Connection:
    opened = apsw.Connection(":memory:")
    opened.execute(f"CREATE TABLE entities (entity_id, {', '.join(TEXTS['entity'])})")
    opened.execute(_FEED)
    return opened


def texts_of(connection: apsw.Connection, *, has_feed: bool = True) -> dict[str, str]:
    def read(statement: str, bindings: object) -> list[tuple[object, ...]]:
        return connection.execute(statement, bindings).fetchall()  # type: ignore[arg-type]

    return read_texts("entity", "entities", read, has_feed=has_feed)


def test_every_name_id_and_model_in_lower_case(connection: apsw.Connection) -> None:
    connection.execute(
        "INSERT INTO entities (entity_id, id, name, original_name, unique_id, aliases, platform)"
        " VALUES ('light.a', 'E1', 'STRASSE', 'Glow', 'Uq-9', '[\"Big\"]', 7)"
    )
    assert texts_of(connection)["light.a"].split("\n") == [
        *("light.a", "strasse", "glow", "e1", "uq-9", "7", '["big"]'),
    ]


def test_former_names_are_found_by_either_id(connection: apsw.Connection) -> None:
    connection.execute("INSERT INTO entities (entity_id, id) VALUES ('light.new', 'e1'), ('light.x', NULL)")
    connection.execute(
        "INSERT INTO reconcile_changes VALUES (1, 'u', 'entity', 'e1', '{\"entity_id\":\"light.Old\"}'),"
        " (2, 'u', 'entity', 'light.x', '{\"name\":\"Mango\"}'), (3, 'u', 'entity', 'e1', '{\"name\":'),"
        " (4, 'u', 'entity', 'e1', x'ff')"
    )
    assert "light.old" in texts_of(connection)["light.new"]
    assert "mango" in texts_of(connection)["light.x"]
    assert "mango" not in texts_of(connection, has_feed=False)["light.x"]


def test_text_with_invalid_utf_8_is_searched_as_far_as_it_is_valid(connection: apsw.Connection) -> None:
    connection.execute(
        "INSERT INTO entities (entity_id, name) VALUES ('light.a', CAST(x'4cff' AS TEXT)), (CAST(x'ff' AS TEXT), 'B')"
    )
    assert texts_of(connection) == {"light.a": "light.a\nl\ufffd"}


def test_all_words_must_be_there_and_keys_come_in_order() -> None:
    assert with_all(ALL_OF, ["lamp"]) == ["a", "b"]
    assert with_all(ALL_OF, ["lamp", "kitchen"]) == ["a"]
    assert with_all(ALL_OF, ["none", "lamp"]) == []
