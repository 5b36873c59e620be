"""Six questions of a newcomer, each answered from the front page in a real browser, in both schemes and on a phone."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

pytest.importorskip("selenium")  # pinned for the tests; collecting works without it
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.real.browser import Browser
from tests.real.home_assistant import HomeAssistant
from tests.real.test_page import serving, serving_home, texts, wreck
from tests.service_process import SAMPLE, poll

RENAMED = (
    "UPDATE entities SET entity_id = 'light.bedside' WHERE entity_id = 'light.bed_light'",
    "UPDATE entities SET original_name = 'Wrecked' WHERE entity_id = 'light.kitchen_lights'",
    "INSERT INTO devices (device_id, name) VALUES ('mock', 'Sun')",
    "UPDATE devices SET sw_version = '9.9' WHERE name = 'Kitchen Lights'",
)


@pytest.fixture(params=[("light", 1200), ("dark", 390)], ids=["light", "dark on a phone"])
def look(request: pytest.FixtureRequest) -> tuple[str, int]:
    """Colour scheme and width."""
    scheme, width = request.param
    return str(scheme), int(width)


@pytest.fixture
def answers(look: tuple[str, int], browser: Browser, tmp_path: Path) -> Iterator[tuple[Browser, str]]:
    """A service that only observes a store that another program has changed, and its front page."""
    folder = tmp_path / "service"
    with serving(folder) as (_, address):
        poll(address, "/api/status", "in_sync")
    wreck(folder, *RENAMED)
    with serving(folder, "--observe") as (_, address):
        poll(address, "/api/status", "out_of_sync")
        browser.show_as(scheme=look[0], width=look[1])
        browser.open(address)
        yield browser, address
        assert browser.run("return document.documentElement.scrollWidth") == look[1]
        assert browser.errors() == []


def main_of(browser: Browser, wanted: str) -> str:
    """What the page says, once it says this."""
    browser.until_text("main", wanted)
    return browser.text("main")


def test_the_differences_and_their_times(answers: tuple[Browser, str]) -> None:
    browser, _ = answers
    assert "reconcile --prune-foreign" in browser.text("todo-foreign")
    browser.click(By.CSS_SELECTOR, "#todo-drifted h3 a")
    reported = main_of(browser, "Wrecked")
    assert "since" in reported
    assert "Another program changed it in sqlite" in reported


def test_whether_sun_is_real(answers: tuple[Browser, str]) -> None:
    browser, _ = answers
    browser.driver.find_element(By.ID, "q").send_keys("sun", Keys.ENTER)
    browser.until(lambda: "Foreign" in texts(browser, "#found .badge"), "which of them is foreign")
    assert "Real" in texts(browser, "#found .badge")
    browser.click(By.CSS_SELECTOR, "#found a[href='device?id=mock']")
    assert "Only sqlite has it" in main_of(browser, "Home Assistant was never seen to have this id")


def test_the_fate_of_a_renamed_entity(answers: tuple[Browser, str]) -> None:
    browser, _ = answers
    browser.driver.find_element(By.ID, "q").send_keys("light.bed_light", Keys.ENTER)
    browser.click(By.LINK_TEXT, "What became of an entity of this id")
    assert "Drifted" in main_of(browser, "light.bedside")


def test_all_devices_with_a_firmware(answers: tuple[Browser, str]) -> None:
    browser, _ = answers
    browser.click(By.LINK_TEXT, "Devices")
    browser.until_text("table-title", "Devices")
    browser.click(By.CSS_SELECTOR, ".facets summary")
    browser.driver.find_element(By.CSS_SELECTOR, "#sw_version option[value='9.9']").click()
    browser.click(By.CSS_SELECTOR, ".asked button")
    browser.until(
        lambda: texts(browser, ".rows tbody th") == ["Kitchen Lights"], "the one with this firmware"
    )


def test_the_reason_for_held_deletes_and_the_command_to_allow_them(
    look: tuple[str, int], browser: Browser, tmp_path: Path
) -> None:
    folder, home = tmp_path / "service", tmp_path / "home"
    shutil.copytree(SAMPLE.removeprefix("capture:"), home)
    with serving(folder, source=f"capture:{home}") as (_, address):
        poll(address, "/api/status", "in_sync")
    for name in ("device_registry_list", "entity_registry_list", "entity_registry_get_entries"):
        leave_little(home / f"{name}.json")
    with serving(folder, source=f"capture:{home}") as (_, address):
        poll(address, "/api/status", "blocked")
        browser.show_as(scheme=look[0], width=look[1])
        browser.open(address)
        reported = browser.text("status")
        assert "Guard delete_ratio" in reported
        assert "plan.delete_ratio_max" in reported
        command = browser.driver.find_element(By.CSS_SELECTOR, ".todo .command code").text
        assert command.startswith("reconcile --max-delete")
        browser.click(By.CSS_SELECTOR, ".todo a[href^='help']")
        browser.until(lambda: "#guard-delete_ratio" in browser.driver.current_url, "its paragraph")
        assert "evidence" in main_of(browser, "Of a guard")
        browser.open(address)
        browser.click(By.CSS_SELECTOR, ".todo h3 a")
        assert "held back" in main_of(browser, "Gone").lower()
        assert browser.errors() == []


def leave_little(capture: Path) -> None:
    """Take most rows out of one recorded answer."""
    answer = json.loads(capture.read_text(encoding="utf-8"))
    rows = answer["result"]
    few = dict(list(rows.items())[:20]) if isinstance(rows, dict) else rows[:20]
    capture.write_text(json.dumps({**answer, "result": few}), encoding="utf-8")


@pytest.mark.real_server
def test_a_room_last_tuesday_and_the_fate_of_its_lamp(
    look: tuple[str, int], browser: Browser, home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    folder = tmp_path / "service"
    entity = home_assistant.command("config/entity_registry/get", entity_id="light.bed_light")
    area = home_assistant.command("config/area_registry/create", name="Pantry")["area_id"]
    device = {"device_id": entity["device_id"]}
    try:
        home_assistant.command("config/device_registry/update", area_id=area, **device)
        with serving_home(folder, home_assistant):
            pass
        age(folder / "history.db", days=8)
        home_assistant.command("config/device_registry/update", area_id=None, **device)
        rename(home_assistant, "light.bed_light", "light.bedside")
        with serving_home(folder, home_assistant) as address:
            browser.show_as(scheme=look[0], width=look[1])
            browser.open(address)
            see_then(browser, days_ago=7)
            assert "Bed Light" in browser.text("found")
            browser.click(By.LINK_TEXT, "Back to now")
            browser.until(lambda: "The home as it was" not in browser.text("found"), "the room of now")
            assert "Bed Light" not in browser.text("found")
            browser.open(address)
            browser.driver.find_element(By.ID, "q").send_keys("light.bed_light", Keys.ENTER)
            browser.click(By.CSS_SELECTOR, "#found .entities a")
            reported = main_of(browser, "Timeline")
            assert "Real" in reported
            assert "light.bed_light →" in reported.replace("\n", " ")
            assert browser.run("return document.documentElement.scrollWidth") == look[1]
            assert browser.errors() == []
    finally:
        rename(home_assistant, "light.bedside", "light.bed_light")
        home_assistant.command("config/device_registry/update", area_id=None, **device)
        home_assistant.command("config/area_registry/delete", area_id=area)


def rename(core: HomeAssistant, old: str, new: str) -> None:
    core.command("config/entity_registry/update", entity_id=old, new_entity_id=new)


def age(history: Path, *, days: int) -> None:
    """Let all that is recorded be so many days older."""
    connection = apsw.Connection(str(history), flags=apsw.SQLITE_OPEN_READWRITE)
    # Each number is taken until the next is older, and the key is unique: the oldest first.
    connection.execute("UPDATE records SET at_ns = -at_ns")
    connection.execute("UPDATE records SET at_ns = -at_ns - ?", (days * 86_400 * 1_000_000_000,))
    connection.close()


def see_then(browser: Browser, *, days_ago: int) -> None:
    """Choose a time and a room, as a person does on the front page."""
    browser.run(
        "const at = document.getElementById('at');"
        "const then = new Date(Date.now() - arguments[0] * 86400000);"
        "at.value = new Date(then - then.getTimezoneOffset() * 60000).toISOString().slice(0, 16);"
        "at.dispatchEvent(new Event('input', {bubbles: true}))",
        days_ago,
    )
    browser.click(By.CSS_SELECTOR, "form.asked button")
    browser.until_text("found", "The home as it was")
    browser.click(By.PARTIAL_LINK_TEXT, "Pantry")
    browser.until(lambda: browser.driver.find_elements(By.CSS_SELECTOR, ".areas [aria-current]"), "the room")
