"""Digests of a cache depend on its key, on every byte, and not on where the pieces begin."""

import pytest

from engine.pass_cache.seals import digest_of, quick_digest

KEY, OTHER = b"k" * 32, b"o" * 32


def test_pieces_are_one_text() -> None:
    assert digest_of((b"ab", b"c"), KEY, 16) == digest_of((memoryview(b"abc"),), KEY, 16)
    assert quick_digest((b"ab", bytearray(b"c")), KEY) == quick_digest((b"abc",), KEY)


@pytest.mark.parametrize("digest", [lambda pieces, key: digest_of(pieces, key, 16), quick_digest])
def test_another_byte_or_key_is_another_digest(digest: object) -> None:
    assert callable(digest)
    assert len({digest((b"abc",), KEY), digest((b"abx",), KEY), digest((b"abc",), OTHER)}) == 3
    assert len(digest((b"abc",), KEY)) == 16
