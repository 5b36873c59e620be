"""Decoding that names what it decoded and never quotes it."""

import msgspec
import pytest

from engine.errors import SourceInvalid
from engine.sources.json_text import decode_json

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
def test_what_cannot_be_decoded_is_named_but_not_shown(text: bytes) -> None:
    with pytest.raises(SourceInvalid) as raised:
        decode_json(DECODER, text, "The file x")

    assert raised.value.message.startswith("The file x ")
    assert "secret" not in str(raised.value)


def test_json_nested_without_end_is_refused() -> None:
    deep = msgspec.json.Decoder(object)

    with pytest.raises(SourceInvalid):
        decode_json(deep, b"[" * 200_000, "It")
