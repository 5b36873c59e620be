"""Text of strangers cannot command a terminal, and secrets are not repeated."""

import pytest

from engine.commandline.text.safe_text import name_text, value_text, visible, without_secrets

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhYmNkZWYifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Küche", '"Küche"'),
        ("\x1b[31mred\x1b[0m", '"\\u001b[31mred\\u001b[0m"'),
        ("\x1b]0;title\x07", '"\\u001b]0;title\\u0007"'),
        ("line\nbreak\r", '"line\\nbreak\\r"'),
        ("\u202etxt.exe", '"\\u202etxt.exe"'),
        ("\u2066a\u2069", '"\\u2066a\\u2069"'),
        ("\x9b31m", '"\\u009b31m"'),
        ("a\u2028b", '"a\\u2028b"'),
        ("zero\u200bwidth", '"zero\\u200bwidth"'),
        ("\U000e0041", '"\\U000e0041"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("👩\u200d👧 की\u200cम", '"👩\u200d👧 की\u200cम"'),
    ],
)
def test_terminal_control_characters_are_shown_as_codes(name: str, shown: str) -> None:
    assert name_text(name) == shown


def test_different_names_never_look_the_same() -> None:
    assert name_text("lamp") != name_text("la\u200bmp") != name_text("la\\u200bmp")


def test_long_values_are_cut() -> None:
    assert value_text("x" * 10_000) == '"' + "x" * 156 + "..."
    assert len(visible("\x1b" * 10_000)) == 160
    assert visible("y" * 160) == "y" * 160


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "none"),
        (True, "true"),
        (3, "3"),
        ([], "[]"),
        ({"b": 1, "a": "\u202e"}, '{"a": "\\u202e", "b": 1}'),
    ],
)
def test_values_read_as_json(value: object, shown: str) -> None:
    assert value_text(value) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"cannot read {TOKEN}.", "cannot read ***."),
        ("ws://me:hunter2@home:8123/x", "ws://***@home:8123/x"),
        ("ws://home:8123/x?token=hunter2#y", "ws://home:8123/x?***"),
        ("ws://home:8123 is fine. Really?", "ws://home:8123 is fine. Really?"),
        ("Use influxdb://HOST:8086/BUCKET?org=ORG.", "Use influxdb://HOST:8086/BUCKET?org=ORG."),
        ("influxdb://host:8086/b?token=x", "influxdb://host:8086/b?***"),
        ("influxdb://HOSTESS/b?token=x", "influxdb://HOSTESS/b?***"),
    ],
)
def test_secrets_are_left_out(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
