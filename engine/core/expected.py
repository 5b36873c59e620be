"""Explains to users why a value was refused: msgspec's own messages contain names of Python types, and patterns.

Pure. It passes a message that it does not know on unchanged.
"""

import re

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table of names and values",
    "datetime": "a time, such as 2026-11-29T12:00:00Z",
    "null": "nothing",
}
_BOUNDS = {">=": "of at least", "<=": "of at most", ">": "greater than", "<": "less than"}
_EXPECTED = re.compile(
    r"Expected `(?P<kinds>[a-z |]+)`"
    r"(?:, got `(?P<got>\w+)`| of length (?P<length>[<>]=?) (?P<count>\d+)| (?P<bound>[<>]=?) (?P<number>-?[\d.e+]+)"
    r"|(?P<pattern> matching regex .*)|(?P<zone> with a timezone component))?"
)


def in_words(refusal: str) -> str:
    """Turn msgspec's message about a value, without its path, into a clause: "it must be a whole number of at least 1"."""
    if refusal.startswith("Invalid enum value "):
        return f"it cannot be {refusal.removeprefix('Invalid enum value ')}"
    if refusal.startswith("Invalid RFC3339"):
        return f"it must be {_KINDS['datetime']}"
    found = _EXPECTED.fullmatch(refusal)
    kinds = [_KINDS.get(kind) for kind in found["kinds"].split(" | ")] if found else [None]
    if found is None or None in kinds:
        return refusal
    wanted = " or ".join(kind for kind in kinds if kind)
    if found["count"]:
        unit = "characters" if found["kinds"] == "str" else "parts"
        return f"it must have {_BOUNDS[found['length']].removeprefix('of ')} {found['count']} {unit}"
    if found["bound"]:
        number = found["number"].removesuffix(".0")
        return f"it must be {wanted} {_BOUNDS[found['bound']]} {number}"
    if found["pattern"]:
        return "it must be text of another form"
    return f"it must be {wanted}, with its offset from UTC" if found["zone"] else f"it must be {wanted}"
