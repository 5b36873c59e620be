"""Streams: any locale, a reader that went away, and errors without secrets."""

import io
import sys

import pytest

from engine.commandline.output import emit_json, emit_text, print_error, print_message


class Stream(io.TextIOWrapper):
    def __init__(self, encoding: str, is_terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def written(self) -> bytes:
        self.flush()
        data = self.buffer
        assert isinstance(data, io.BytesIO)
        return data.getvalue()


def test_text_survives_an_ascii_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = Stream("ascii"), Stream("ascii")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    emit_text("Küche 灯\n")
    print_message("Küche")
    assert out.written() == b"K\\xfcche \\u706f\n"
    assert err.written() == b"K\\xfcche\n"


def test_json_is_utf8_in_any_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Stream("ascii")
    monkeypatch.setattr(sys, "stdout", out)
    emit_json('{"name":"Küche"}'.encode())
    assert out.written() == '{"name":"Küche"}\n'.encode()


def test_json_is_indented_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Stream("utf-8", is_terminal=True)
    monkeypatch.setattr(sys, "stdout", out)
    emit_json(b'{"a":1}')
    assert out.written() == b'{\n  "a": 1\n}\n'


def test_without_streams_nothing_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    emit_text("x")
    emit_json(b"{}")
    print_error("x", "y")


def test_an_error_is_one_line_and_its_hint_another(capsys: pytest.CaptureFixture[str]) -> None:
    print_error("Could not read ws://me:hunter2@home.\nReally\x1b[2J", "Change source.uri.")
    assert capsys.readouterr().err == (
        "Error: Could not read ws://***@home.\\u000aReally\\u001b[2J\nChange source.uri.\n"
    )
