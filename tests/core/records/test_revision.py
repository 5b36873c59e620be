"""A version carries its record; an invalid one stays as found."""

import pytest

from engine.core.records.record import Key
from engine.core.records.record_json import canonical_fields
from engine.core.records.revision import Revision
from engine.errors import SourceInvalid
from tests.homes import NOON, device


def revision(content: object) -> Revision:
    return Revision(device(1).key, NOON, "create", 1, "b2:0", "r", content)  # type: ignore[arg-type]


def test_a_record_is_not_made_again() -> None:
    record = device(1, name="Lamp")
    made = revision(record)
    assert made.record() is record
    assert made.fields == canonical_fields(record)


def test_fields_are_read_as_a_record_and_invalid_ones_raise() -> None:
    record = device(1, name="Lamp")
    assert revision(canonical_fields(record)).record() == record
    junk = revision({"payload": "junk"})
    assert junk.fields == {"payload": "junk"}
    for broken in (junk, revision({})):
        with pytest.raises(SourceInvalid):
            broken.record()
    assert junk.key == Key("device", device(1).id)
