"""Errors of msgspec are reworded for users."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from engine.core.expected import in_words


@pytest.mark.parametrize(
    ("type_", "value", "said"),
    [
        (int, "x", "it must be a whole number"),
        (int | None, "x", "it must be a whole number or nothing"),
        (float, "x", "it must be a number"),
        (bool, "x", "it must be true or false"),
        (tuple[str, ...], 3, "it must be a list"),
        (dict, 3, "it must be a table of names and values"),
        (str, 3, "it must be text"),
        (Annotated[int, Meta(ge=1)], "0", "it must be a whole number of at least 1"),
        (Annotated[int, Meta(le=-1)], "0", "it must be a whole number of at most -1"),
        (Annotated[float, Meta(gt=0)], 0.0, "it must be a number greater than 0"),
        (Annotated[float, Meta(lt=0.5)], 0.5, "it must be a number less than 0.5"),
        (Annotated[float, Meta(le=1)], 3.0, "it must be a number of at most 1"),
        (Annotated[str, Meta(min_length=1)], "", "it must have at least 1 characters"),
        (Annotated[tuple[int, ...], Meta(max_length=1)], (1, 2), "it must have at most 1 parts"),
        (Annotated[str, Meta(pattern="^a$")], "x", "it must be text of another form"),
        (Literal["a", "b"], "c", "it cannot be 'c'"),
        (datetime, "x", "it must be a time, such as 2026-11-29T12:00:00Z"),
        (
            Annotated[datetime, Meta(tz=True)], "2020-01-01T00:00:00",
            "it must be a time, such as 2026-11-29T12:00:00Z, with its offset from UTC",
        ),
    ],
)  # fmt: skip
def test_each_kind_is_described_without_type_names(type_: Any, value: object, said: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(value, type_, strict=False)
    assert in_words(str(refused.value)) == said


@pytest.mark.parametrize(
    "refusal", ["Object missing required field `a`", "Expected `ext`, got `str`", "other"]
)
def test_what_is_not_known_is_passed_on(refusal: str) -> None:
    assert in_words(refusal) == refusal
