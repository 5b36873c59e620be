"""Which websocket an address means, and which addresses are refused."""

import pytest

from engine.errors import SettingsError
from engine.sources.ha_uri import websocket_uri


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ws://home.local:8123", "ws://home.local:8123/api/websocket"),
        ("http://home.local:8123/", "ws://home.local:8123/api/websocket"),
        ("https://home.example", "wss://home.example/api/websocket"),
        ("WSS://home.example:443/api/websocket", "wss://home.example:443/api/websocket"),
        ("ws://supervisor/core/websocket", "ws://supervisor/core/websocket"),
        ("http://[fd00::1]:8123", "ws://[fd00::1]:8123/api/websocket"),
        ("http://192.168.1.2", "ws://192.168.1.2/api/websocket"),
    ],
)
def test_a_uri_means_the_websocket_of_the_home_it_names(written: str, meant: str) -> None:
    assert websocket_uri(written) == meant
    assert websocket_uri(meant) == meant


@pytest.mark.parametrize(
    "written",
    [
        "",
        "home.local",
        "home.local:8123",
        "ftp://home.local",
        "ws://",
        "ws:///api/websocket",
        "ws://home.local:eighty",
        "ws://home.local:99999",
        "ws://[fd00::1",
        "ws://home..local",
        "ws://" + "a" * 64 + ".local",
        "ws://home.local\n",
        "ws://home. local",
        "ws://home.local/api\x00",
    ],
)
def test_what_is_no_websocket_address_is_refused_by_the_name_of_its_setting(written: str) -> None:
    with pytest.raises(SettingsError, match=r"source\.uri"):
        websocket_uri(written)


@pytest.mark.parametrize(
    "written",
    [
        "ws://user:hunter2@home.local:8123",
        "ws://hunter2@home.local",
        "ws://home.local/api/websocket?token=hunter2",
        "ws://home.local/#hunter2",
    ],
)
def test_a_secret_in_the_uri_is_refused_and_not_repeated(written: str) -> None:
    with pytest.raises(SettingsError) as refused:
        websocket_uri(written)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None
