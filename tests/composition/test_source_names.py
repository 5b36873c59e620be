"""The ways to name a source, and the error without one."""

import pytest

from engine.composition.source_names import RECORDS_URI, check_source, no_token
from engine.errors import SettingsError


@pytest.mark.parametrize(
    "uri", ["ws://home:8123", "https://home", "storage:/config", "backup:a.tar", "capture:there", RECORDS_URI]
)
def test_a_source_is_named(uri: str) -> None:
    check_source(uri)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("", "No source is set."),
        ("foo", "Setting source.uri = foo names no source."),
        ("ftp://me:s3cret@home", "Setting source.uri = ftp:... names no source."),
        ("/config", "Setting source.uri = /config does not name a kind of source."),
        ("old.tar", "Setting source.uri = old.tar does not name a kind of source."),
    ],
)
def test_an_invalid_source_is_refused_without_showing_a_password(uri: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        check_source(uri)
    assert refused.value.message == said
    assert refused.value.hint


def test_a_missing_token_is_reported_with_the_place_to_set_it() -> None:
    assert "source.token_file" in no_token().hint
