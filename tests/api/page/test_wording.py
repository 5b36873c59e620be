"""Words for people: fields, values, spans, numbers."""

import pytest

from api.page.wording import (
    age_text,
    count_text,
    cut,
    field_text,
    registry_text_plural,
    shown_fields,
    span_text,
    value_text,
)

NAMES = {("area", "kitchen"): "Küche", ("label", "a"): "Alpha"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 ms"),
        (0.038, "38 ms"),
        (1.5, "1 s"),
        (89.9, "89 s"),
        (90, "1 min"),
        (5399, "89 min"),
        (5400, "1 h"),
        (129_600, "1 days"),
        (400_000, "4 days"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    assert span_text(seconds) == text.replace("1 days", "1 day")


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("area_id", "kitchen", "Küche"),
        ("area_id", "cellar", "cellar"),
        ("name", "kitchen", "kitchen"),
        ("labels", ["a", "b"], "Alpha, b"),
        ("aliases", ["x", None], "x, nothing"),
        ("disabled", True, "yes"),
        ("disabled", False, "no"),
        ("name", None, None),
        ("name", "", "empty"),
        ("labels", [], "empty"),
        ("entity_count", 0, "0"),
        ("options", {"a": {"b": "<"}}, '{"a":{"b":"<"}}'),
    ],
)
def test_values(field: str, value: object, text: str | None) -> None:
    assert value_text(field, value, NAMES) == text


def test_an_effective_field_replaces_the_fields_it_is_derived_from() -> None:
    assert shown_fields(["area_id", "icon", "effective_area_id"]) == [
        ("icon", "icon"),
        ("effective_area_id", "area"),
    ]
    assert shown_fields(["effective_name", "name_by_user"]) == [("effective_name", "name")]
    assert shown_fields(["effective_area_id"]) == [("effective_area_id", "effective area")]
    assert shown_fields(["area_id", "name"]) == [("area_id", "area"), ("name", "name")]


def test_ages_are_whole_seconds() -> None:
    assert [age_text(s) for s in (-1, 0.3, 1.4, 1.6, 95)] == ["0 s", "0 s", "1 s", "1 s", "1 min"]


def test_long_values_are_cut() -> None:
    assert len(value_text("name", "x" * 5000, {}) or "") == 300
    assert cut("ab", 2) == "ab"
    assert cut("abc", 2) == "a…"


def test_fields_and_counts() -> None:
    assert (field_text("sw_version"), field_text("model_id")) == ("firmware", "model id")
    assert (count_text(1, "change"), count_text(1284, "change")) == ("1 change", "1,284 changes")
    assert count_text(2, "entity", "entities") == "2 entities"


def test_registries_in_the_plural() -> None:
    assert [registry_text_plural(r) for r in ("device", "entity", "category", "config_entry")] == [
        "devices",
        "entities",
        "categories",
        "integrations",
    ]
