"""Decoding that names what it decoded and never quotes it."""

import msgspec
import pytest

from engine.errors import SourceInvalid
from engine.sources.json_text import decode_json, legible_json

DECODER = msgspec.json.Decoder(dict[str, int])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"secret": 1', id="truncated"),
        pytest.param(b'{"secret": "secret"}', id="another shape"),
        pytest.param(b'{"secret\xfc": 1}', id="not UTF-8"),
    ],
)
def test_undecodable_text_is_named_but_not_shown(text: bytes) -> None:
    with pytest.raises(SourceInvalid) as raised:
        decode_json(DECODER, text, "The file x")

    assert raised.value.message.startswith("The file x ")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("ahead", [0, 1, 65_534, 65_535, 65_536, 200_000])
@pytest.mark.parametrize("broken", [b"\xfc", b"\xf0\x9f", b"\xe2\x82"])
def test_the_first_byte_that_is_not_utf_8_is_named_wherever_it_stands(ahead: int, broken: bytes) -> None:
    text = b'"%s%s"' % ("\u20ac".encode() * (ahead // 3) + b"x" * (ahead % 3), broken)
    with pytest.raises(SourceInvalid) as raised:
        decode_json(msgspec.json.Decoder(msgspec.Raw), text, "It")
    assert raised.value.message == f"It is not UTF-8 (byte {ahead + 1})."
    whole = b'"%s"' % (b"x" * (ahead % 3) + "\U0001f600".encode() * (ahead // 3))
    assert bytes(decode_json(msgspec.json.Decoder(msgspec.Raw), whole, "It")) == whole


def test_json_nested_without_end_is_refused() -> None:
    deep = msgspec.json.Decoder(object)

    with pytest.raises(SourceInvalid):
        decode_json(deep, b"[" * 200_000, "It")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (rb'["\ud800x", "\udc00\ud800", 1]', ["\ufffdx", "\ufffd\ufffd", 1]),
        (rb'["\ud83d\ude00", NaN, -Infinity, "NaN \\ud800 \""]', ["\U0001f600", None, None, 'NaN \\ud800 "']),
        (b'[{"a": 1}, ' + b'{"a":[' * 60 + b"1,2" + b"]}" * 60 + b", 5, NaN]", None),
        (b"[1, " + b'["[",' * 3000 + b"1" + b"]" * 3000 + b", 5]", None),
    ],
)
def test_a_value_that_a_strict_decoder_refuses_costs_only_itself(text: bytes, read: object) -> None:
    found = decode_json(msgspec.json.Decoder(list[object]), text, "It")

    assert found == read if read is not None else (found[0], found[2]) == (found[0], 5)


def test_truncated_text_stays_refused() -> None:
    assert legible_json(b'[{"a": 1}, {"a"') is None
    for text in (b'["\\ud800", 1', b"[" * 3000, b'["' + b"x" * 10):
        with pytest.raises(SourceInvalid):
            decode_json(msgspec.json.Decoder(list[object]), text, "It")


def test_a_byte_order_mark_in_front_is_passed_over() -> None:
    assert decode_json(DECODER, b'\xef\xbb\xbf{"a": 1}', "It") == {"a": 1}


def test_a_long_truncated_text_is_scanned_once() -> None:
    # Looked through from every quote in it this would take minutes.
    assert legible_json(b'["\\ud800", "' + b'\\"' * 200_000) is not None
