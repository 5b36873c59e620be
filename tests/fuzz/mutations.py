"""Hypothesis strategies that turn real input into hostile input.

Text is changed token by token, so that most of it stays what it was and the hostile part is reached; bytes are
changed where they are.
"""

import re
import struct

from hypothesis import strategies as st

_TOKEN = re.compile(
    rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[\[\]{},:=&;\n]|[\w%.-]+'
)
HOSTILE = (
    *(
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"nan",
        b"inf",
        b"1e999",
        b"-1e308",
        b"1e308",
        b"-0",
        b"0.0",
        b"1.5",
    ),
    *(
        b"9" * 20,
        b"9" * 400,
        b"9" * 5_000,
        b"-1",
        b"0",
        b"18446744073709551616",
        b"-9223372036854775809",
        b"1_0",
    ),
    *(
        b"null",
        b"true",
        b"[]",
        b"{}",
        b'""',
        b"",
        b"[[]]",
        b'[{"a": [1]}]',
        b'"x"',
        b"[null]",
        b'[""]',
        b"\0",
    ),
    *(
        b'"\\ud800"',
        b'"\\udfff\\ud800"',
        b'"\\u0000"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b"\xff\xfe",
        b'"\\',
        b"\x1b[2J",
    ),
    *(b"[" * 100_000, b"[" * 990 + b"]" * 990, b"[" * 40 + b"]" * 40, b'{"a":' * 40 + b"1" + b"}" * 40),
    *(
        b'"id": "a", "id": "b"',
        b'"2026-99-99T99:99:99Z"',
        b'"0001-01-01T00:00:00+23:59"',
        b"%ff%00",
        b"%ed%a0%80",
    ),
    *(b'"\\r\\nX: y"', b"${x}", b"'; DROP TABLE devices; --", b"../../etc/passwd", b"\xe2\x80\xae", b"\n\n"),
)


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """One of the seeds, with a few changes."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        change = draw(st.sampled_from((_with_token, _with_token, _with_bytes, _with_number, _cut)))
        data = draw(change(data))
    return data


@st.composite
def _with_token(draw: st.DrawFn, data: bytes) -> bytes:
    """A token replaced by a hostile one, or doubled, or gone."""
    tokens = list(_TOKEN.finditer(data))
    if not tokens:
        return data + draw(st.sampled_from(HOSTILE))
    token = tokens[draw(st.integers(0, len(tokens) - 1))]
    other = draw(st.sampled_from((*HOSTILE, token[0] * 2)))
    return data[: token.start()] + other + data[token.end() :]


@st.composite
def _with_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    new = draw(st.binary(min_size=1, max_size=16))
    return data[:at] + new + data[at + draw(st.sampled_from((0, len(new)))) :]


@st.composite
def _with_number(draw: st.DrawFn, data: bytes) -> bytes:
    """A number of 1, 2, 4 or 8 bytes at a border value, as binary formats have sizes and offsets."""
    form = draw(st.sampled_from((">B", ">H", ">I", ">Q")))
    size = struct.calcsize(form)
    value = draw(st.sampled_from((0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1)))
    at = draw(st.integers(0, len(data)))
    return data[:at] + struct.pack(form, value) + data[at + size :]


@st.composite
def _cut(draw: st.DrawFn, data: bytes) -> bytes:
    begin = draw(st.integers(0, len(data)))
    return data[:begin] + data[draw(st.integers(begin, len(data))) :]
