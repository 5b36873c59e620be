"""What compose files, editors and browsers leave in a setting, and what it means."""

import pytest

from engine.settings.text import (
    backup_key,
    decode_text,
    environment_value,
    looks_like_path,
    source_uri,
    without_wrapping,
    written_value,
)


@pytest.mark.parametrize("word", ["true", "True", "yes", "YES", "on", "1", " on ", "y"])
def test_words_that_switch_something_on(word: str) -> None:
    assert written_value("plan.allow_empty", word) is True


@pytest.mark.parametrize("word", ["false", "False", "no", "NO", "off", "0", " off ", "n"])
def test_words_that_switch_something_off(word: str) -> None:
    assert written_value("plan.allow_empty", word) is False


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("plan.allow_empty", "", None),
        ("plan.delete_count_max", " ", None),
        ("plan.allow_empty", "perhaps", "perhaps"),
        ("site.name", "yes", "yes"),
        ("site.name", "", ""),
        ("plan.delete_count_max", 3, 3),
        ("no.such", "1", "1"),
    ],
)
def test_empty_values_set_nothing_and_others_are_kept(name: str, value: object, meant: object) -> None:
    assert written_value(name, value) == meant


@pytest.mark.parametrize(
    ("name", "text", "given"),
    [
        ("plan.allow_empty", "", None),
        ("source.uri", "", None),
        ("source.uri", "  \r", None),
        ("source.uri", "ws://h:8123\r", "ws://h:8123"),
        ("source.uri", '"ws://h:8123"', "ws://h:8123"),
        ("site.name", "\ufeffhome", "home"),
        ("http.hosts", "", []),
        ("http.hosts", "'a, b ,'", ["a", "b"]),
    ],
)
def test_an_empty_variable_is_not_set_and_wrapping_is_no_part_of_a_value(
    name: str, text: str, given: object
) -> None:
    assert environment_value(name, text) == given


@pytest.mark.parametrize(
    ("written", "uri"),
    [
        ("ws://h:8123", "ws://h:8123"),
        ("HTTP://H:8123/lovelace/0", "http://H:8123/lovelace/0"),
        (" https://home.example \n", "https://home.example"),
        ("<http://h:8123/>", "http://h:8123/"),
        ("homeassistant.local:8123", "http://homeassistant.local:8123"),
        ("homeassistant.local:8123/lovelace/0", "http://homeassistant.local:8123/lovelace/0"),
        ("homeassistant:8123", "http://homeassistant:8123"),
        ("http:8123", "http://http:8123"),
        ("homeassistant", "http://homeassistant"),
        ("192.168.1.2", "http://192.168.1.2"),
        ("[fd00::1]:8123/config", "http://[fd00::1]:8123/config"),
        ("fd00::1", "http://[fd00::1]"),
        ("home.example:443", "https://home.example:443"),
        ("home.example", "https://home.example"),
        ("home.example:8123", "http://home.example:8123"),
        ("pi.lan", "http://pi.lan"),
        ("STORAGE:/Config", "storage:/Config"),
        ("storage:/a b", "storage:/a b"),
        ("backup:2026-11.tar", "backup:2026-11.tar"),
        ("records", "records"),
        ("", ""),
        ("backup.tar", "backup.tar"),
        ("/config", "/config"),
        ("config/.storage", "config/.storage"),
        ("ftp://h", "ftp://h"),
        ("user:secret@h:8123", "user:secret@h:8123"),
        ("homeassistant://navigate/lovelace", "homeassistant://navigate/lovelace"),
    ],
)
def test_an_address_as_people_paste_it(written: str, uri: str) -> None:
    assert source_uri(written) == uri
    assert source_uri(uri) == uri


@pytest.mark.parametrize(
    ("text", "is_path"),
    [("/config", True), ("./c", True), ("~/c", True), ("b.tar", True), ("c/.storage", True), ("h", False)],
)
def test_a_path_is_reported_from_an_address(text: str, is_path: bool) -> None:
    assert looks_like_path(text) is is_path


@pytest.mark.parametrize(
    "data",
    ["tok\r\n".encode("utf-8-sig"), "tok\r\n".encode("utf-16"), b"\xfe\xff" + "tok\r\n".encode("utf-16-be")],
)
def test_files_of_windows_editors_are_read(data: bytes) -> None:
    assert without_wrapping(decode_text(data)) == "tok"


def test_a_file_in_another_encoding_is_no_text() -> None:
    with pytest.raises(UnicodeError):
        decode_text(b"caf\xe9")


KIT = """Home Assistant Backup Emergency Kit

This emergency kit contains your backup encryption key.

Date: 28 November 2026

Encryption key:
{key}

For more information visit: https://example.org/AAAA-BBBB
"""


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("AB12-CD34-EF56-GH78-IJ90-KL12-MN34\r\n", "AB12-CD34-EF56-GH78-IJ90-KL12-MN34"),
        (KIT.format(key="AB12-CD34-EF56-GH78-IJ90-KL12-MN34"), "AB12-CD34-EF56-GH78-IJ90-KL12-MN34"),
        ("an own password \n", "an own password "),
        ("", ""),
    ],
)
def test_a_backups_key_stands_alone_or_in_its_emergency_kit(text: str, key: str) -> None:
    assert backup_key(text) == key
