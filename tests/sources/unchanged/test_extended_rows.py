"""List rows are completed as they were only by the very same extended rows under the very same entity_ids."""

import msgspec

from engine.sources.unchanged.extended_rows import ExtendedRows
from engine.sources.unchanged.fingerprint import Fingerprint

ONE, TWO = msgspec.Raw(b'{"id":"1"}'), msgspec.Raw(b'{"id":"2"}')


def test_rows_are_reported_by_their_bytes_and_entity_ids() -> None:
    rows = ExtendedRows(Fingerprint())
    rows.note(b"a", "light.one", ONE)
    rows.note(b"b", "light.two", TWO)
    assert rows.are_among([b"a", b"b"], {"light.one": ONE, "light.two": TWO, "light.new": ONE})
    assert rows.are_among([b"b"], {"light.two": TWO})
    assert rows.are_among([], {})
    assert not rows.are_among([b"a"], {"light.one": TWO})
    assert not rows.are_among([b"a", b"b"], {"light.one": TWO, "light.two": ONE})
    assert not rows.are_among([b"c"], {"light.one": ONE})


def test_they_outlive_the_process() -> None:
    fingerprint = Fingerprint()
    before = ExtendedRows(fingerprint)
    before.note(b"a", "light.one", ONE)
    kept = before.keep([b"a"])
    rows = ExtendedRows(Fingerprint(fingerprint.seed), {b"a": kept})
    assert rows.are_among([b"a"], {"light.one": ONE})
    rows.note(b"a", "light.one", TWO)
    assert rows.are_among([b"a"], {"light.one": TWO})
    assert rows.keep([b"a"]) != kept
