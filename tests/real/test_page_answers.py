"""Six questions of a newcomer, each answered from the front page in a real browser, in both schemes and on a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("selenium")  # pinned for the tests; collecting works without it
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.real.browser import Browser
from tests.real.test_page import serving, texts, wreck
from tests.service_process import poll

RENAMED = (
    "UPDATE entities SET entity_id = 'light.bedside' WHERE entity_id = 'light.bed_light'",
    "UPDATE entities SET original_name = 'Wrecked' WHERE entity_id = 'light.kitchen_lights'",
    "INSERT INTO devices (device_id, name) VALUES ('mock', 'Sun')",
    "UPDATE devices SET sw_version = '9.9' WHERE name = 'Kitchen Lights'",
)


@pytest.fixture(params=[("light", 1200), ("dark", 390)], ids=["light", "dark on a phone"])
def answers(
    request: pytest.FixtureRequest, browser: Browser, tmp_path: Path
) -> Iterator[tuple[Browser, str]]:
    """A service that only observes a store into which somebody has written, and its front page."""
    folder = tmp_path / "service"
    with serving(folder) as (_, address):
        poll(address, "/api/status", "in_sync")
    wreck(folder, *RENAMED)
    with serving(folder, "--observe") as (_, address):
        poll(address, "/api/status", "out_of_sync")
        scheme, width = request.param
        browser.show_as(scheme=scheme, width=width)
        browser.open(address)
        yield browser, address
        assert browser.run("return document.documentElement.scrollWidth") == width
        assert browser.errors() == []


def main_of(browser: Browser, wanted: str) -> str:
    """What the page says, once it says this."""
    browser.until_text("main", wanted)
    return browser.text("main")


def test_what_is_wrong_and_since_when(answers: tuple[Browser, str]) -> None:
    browser, _ = answers
    assert "reconcile --prune-foreign" in browser.text("todo-foreign")
    browser.click(By.CSS_SELECTOR, "#todo-drifted h3 a")
    told = main_of(browser, "Wrecked")
    assert "since" in told
    assert "Another program changed it in sqlite" in told


def test_whether_sun_is_real(answers: tuple[Browser, str]) -> None:
    browser, _ = answers
    browser.driver.find_element(By.ID, "q").send_keys("sun", Keys.ENTER)
    browser.until(lambda: "Foreign" in texts(browser, "#found .badge"), "which of them is foreign")
    assert "Real" in texts(browser, "#found .badge")
    browser.click(By.CSS_SELECTOR, "#found a[href='device?id=mock']")
    assert "Only sqlite has it" in main_of(browser, "Home Assistant was never seen to have this id")


def test_what_became_of_a_renamed_entity(answers: tuple[Browser, str]) -> None:
    browser, address = answers
    browser.open(f"{address}/entity?id=light.bed_light")
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


def test_an_area_as_it_was(answers: tuple[Browser, str]) -> None:
    browser, address = answers
    browser.open(f"{address}/?at=2100-01-01T00:00&area=kitchen#home")
    browser.until_text("found", "The home as it was")


def test_nothing_was_deleted_and_what_would_change_that(answers: tuple[Browser, str]) -> None:
    browser, _ = answers
    browser.click(By.CSS_SELECTOR, "#todo-foreign p a")
    assert "reconcile --prune-foreign" in main_of(browser, "A foreign row")
    assert browser.driver.current_url.endswith("help#foreign")
