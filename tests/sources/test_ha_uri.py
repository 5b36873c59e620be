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
        # What a browser shows.
        ("http://h:8123/lovelace/0", "ws://h:8123/api/websocket"),
        ("http://h:8123/config/devices/dashboard?historyBack=1#top", "ws://h:8123/api/websocket"),
        ("http://h:8123/onboarding.html", "ws://h:8123/api/websocket"),
        ("http://h:8123/auth/authorize?client_id=http%3A%2F%2Fh", "ws://h:8123/api/websocket"),
        ("http://h:8123/?auth_callback=1&code=abc&state=x", "ws://h:8123/api/websocket"),
        ("http://h:8123/dashboard-mine/0", "ws://h:8123/api/websocket"),
        ("http://h:8123/home/overview", "ws://h:8123/api/websocket"),
        ("http://h/#hash", "ws://h/api/websocket"),
        # What the documentation of other clients shows.
        ("http://h:8123/api", "ws://h:8123/api/websocket"),
        ("http://h:8123/api/", "ws://h:8123/api/websocket"),
        ("http://h:8123/api/states/sun.sun", "ws://h:8123/api/websocket"),
        ("ws://h/api/websocket/", "ws://h/api/websocket"),
        # A proxy's path.
        ("http://h/ha", "ws://h/ha/api/websocket"),
        ("https://h/ha/", "wss://h/ha/api/websocket"),
        ("https://h/a/b/lovelace/0", "wss://h/a/b/api/websocket"),
        ("https://h/ha/api/websocket", "wss://h/ha/api/websocket"),
        ("http://supervisor/core", "ws://supervisor/core/api/websocket"),
        ("http://h//ha//", "ws://h/ha/api/websocket"),
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
def test_an_address_that_is_no_websocket_is_refused_with_the_name_of_its_setting(written: str) -> None:
    with pytest.raises(SettingsError, match=r"source\.uri"):
        websocket_uri(written)


@pytest.mark.parametrize(
    "written",
    [
        "ws://user:hunter2@home.local:8123",
        "ws://hunter2@home.local",
        "ws://home.local/api/websocket?token=hunter2",
        "ws://home.local/#access_token=hunter2",
        "http://home.local/?api_password=hunter2",
    ],
)
def test_a_secret_in_the_uri_is_refused_and_not_repeated(written: str) -> None:
    with pytest.raises(SettingsError) as refused:
        websocket_uri(written)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_why_an_address_is_refused() -> None:
    for written, why in (
        ("http://fd00::1:8123", "brackets"),
        ("http://user:hunter2@h", "proxy"),
        ("https://my.home-assistant.io/redirect/config", "only sends a browser on"),
    ):
        with pytest.raises(SettingsError, match=why):
            websocket_uri(written)
