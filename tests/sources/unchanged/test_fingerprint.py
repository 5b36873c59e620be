"""Equal bytes have equal fingerprints, which an outsider cannot predict."""

import msgspec

from engine.sources.unchanged.fingerprint import Fingerprint


def test_equal_bytes_have_equal_fingerprints_in_any_container() -> None:
    fingerprint = Fingerprint()
    text = b'{"id":1}'

    names = {fingerprint(text), fingerprint.of(memoryview(text)), fingerprint(msgspec.Raw(text))}

    assert names == set(fingerprint.of_each([msgspec.Raw(text)]))
    assert [len(name) for name in names] == [16]
    assert fingerprint(b'{"id":2}') not in names


def test_every_seed_is_another() -> None:
    assert Fingerprint()(b"text") != Fingerprint()(b"text")
