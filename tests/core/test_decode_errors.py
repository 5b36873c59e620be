"""Whatever is no JSON of the shape that is expected raises one of DECODE_ERRORS, and nothing else."""

import msgspec
import pytest

from engine.core.decode_errors import DECODE_ERRORS


@pytest.mark.parametrize(
    "text", ["{", "[1]", '"\ud800"', b'"\xff"', "[" * 100_000], ids=lambda text: repr(text[:4])
)
def test_what_no_decoder_takes(text: str | bytes) -> None:
    with pytest.raises(DECODE_ERRORS):
        msgspec.json.decode(text, type=dict[str, int])


def test_other_errors_are_not_decode_errors() -> None:
    assert not issubclass(TypeError, DECODE_ERRORS)
