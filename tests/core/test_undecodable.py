"""Whatever is no JSON of the shape that is expected is undecodable, and nothing else."""

import msgspec
import pytest

from engine.core.undecodable import UNDECODABLE


@pytest.mark.parametrize(
    "text", ["{", "[1]", '"\ud800"', b'"\xff"', "[" * 100_000], ids=lambda text: repr(text[:4])
)
def test_what_no_decoder_takes(text: str | bytes) -> None:
    with pytest.raises(UNDECODABLE):
        msgspec.json.decode(text, type=dict[str, int])


def test_another_error_is_none_of_them() -> None:
    assert not issubclass(TypeError, UNDECODABLE)
