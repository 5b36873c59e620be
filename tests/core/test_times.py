"""Points in time are numbers until a document is written."""

import msgspec
import pytest

from engine.core.times import Instant, encode_document, instant, instant_schema, rfc3339
from tests.homes import NOON


class Document(msgspec.Struct):
    at: Instant
    until: Instant | None = None


def test_times_are_utc_with_milliseconds() -> None:
    assert rfc3339(NOON + 0.0015) == "2026-11-23T12:00:00.001Z"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (1e20, "9999-12-31T23:59:59.000Z"),
        (253_402_300_800.0, "9999-12-31T23:59:59.000Z"),
        (float("inf"), "9999-12-31T23:59:59.000Z"),
        (-1e300, "0001-01-01T00:00:00.000Z"),
        (float("nan"), "0001-01-01T00:00:00.000Z"),
    ],
)
def test_a_time_that_no_calendar_has_is_shown_as_the_nearest(written: float, shown: str) -> None:
    assert rfc3339(written) == shown


def test_a_document_counts_with_numbers_and_is_written_as_text() -> None:
    made = Document(Instant(NOON), instant(None))
    assert made.at + 1 == NOON + 1
    assert instant(NOON) == made.at
    assert isinstance(instant(NOON), Instant)
    assert encode_document(made) == b'{"at":"2026-11-23T12:00:00.000Z","until":null}'
    _, components = msgspec.json.schema_components([Document], schema_hook=instant_schema)
    assert components["Document"]["properties"]["at"] == {"type": "string"}


def test_an_encoder_that_does_not_know_of_them_writes_no_number() -> None:
    with pytest.raises(TypeError, match="Instant"):
        msgspec.json.encode(Document(Instant(NOON)))


def test_nothing_else_is_written_as_a_time() -> None:
    with pytest.raises(NotImplementedError, match="shows a object"):
        encode_document(object())
    with pytest.raises(TypeError, match="object"):
        msgspec.json.schema(object, schema_hook=instant_schema)
