"""Every parameter and answer has an example, and each fits its schema."""

from typing import Any

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator

from api.app import ROUTES
from api.http.openapi import make_document
from api.http.openapi_examples import example_of
from api.http.routing import EVENT_STREAM

DOCUMENT = msgspec.json.decode(make_document(ROUTES))


def wrong(schema: dict[str, Any], value: Any) -> list[str]:
    whole = {**schema, "components": DOCUMENT["components"]}
    return [error.message for error in OAS31Validator(whole).iter_errors(value)]


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_each_parameter_and_answer_has_an_example_that_fits(path: str) -> None:
    operation = DOCUMENT["paths"][path]["get"]
    for parameter in operation["parameters"]:
        assert parameter.get("description"), parameter["name"]
        assert wrong(parameter["schema"], parameter["example"]) == [], parameter["name"]
    for media_type, content in operation["responses"]["200"]["content"].items():
        if media_type == "application/json":
            assert wrong(content["schema"], content["example"]) == []
        else:
            assert media_type in (EVENT_STREAM, "text/csv; charset=utf-8")


def test_rows_of_a_list_are_reported_field_by_field() -> None:
    (row,) = DOCUMENT["paths"]["/api/devices"]["get"]["responses"]["200"]["content"]["application/json"][
        "example"
    ]["devices"]
    assert (row["name"], row["sync"]["state"]) == ("Bed Light", "real")


def test_a_field_without_its_own_example_has_one_of_its_type() -> None:
    schema = {"type": "object", "properties": {"odd": {"type": "string"}, "even": {"type": "number"}}}
    assert example_of(schema, {}) == {"odd": "text", "even": 0.5}
