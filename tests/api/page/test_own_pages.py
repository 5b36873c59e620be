"""Where a record leads."""

import pytest

from api.page.own_pages import inside, own_page
from api.page.views.record import Fact
from engine.core.records.record import Key
from engine.settings.sections import SourceSettings
from engine.settings.text import browser_address


def test_its_contents_link_to_filtered_tables() -> None:
    assert inside(Key("floor", "up"), []) == {
        "devices": "devices?floor_id=up",
        "entities": "entities?floor_id=up",
    }
    assert inside(Key("config_entry", "e"), [Fact("domain", "hue")])["entities"] == "entities?platform=hue"
    assert inside(Key("device", "d"), []) == {}


def test_home_assistants_own_page() -> None:
    assert (
        own_page("http://ha:8123", Key("device", "d/1"), "d/1")
        == "http://ha:8123/config/devices/device/d%2F1"
    )
    assert (
        own_page("http://ha:8123", Key("entity", "e"), "light.a")
        == "http://ha:8123/history?entity_id=light.a"
    )
    assert own_page("", Key("device", "d"), "d") is None
    assert own_page("http://ha:8123", Key("category", "c"), "c") is None


@pytest.mark.parametrize(
    ("uri", "own", "url"),
    [
        ("ws://ha.local:8123", "", "http://ha.local:8123"),
        ("wss://me:secret@ha.example/api/websocket", "", "https://ha.example"),
        ("ws://supervisor/core/websocket", "", ""),
        ("ws://supervisor/core/websocket", "https://ha.example", "https://ha.example"),
        ("storage:/config", "", ""),
        ("http://[::1", "", ""),
    ],
)
def test_its_address_comes_from_the_source_or_a_setting(uri: str, own: str, url: str) -> None:
    assert browser_address(SourceSettings(uri=uri, browser_url=own)) == url
