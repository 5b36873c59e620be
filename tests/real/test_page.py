"""The page in a real browser: live, honest when cut off, usable by keyboard and without JavaScript."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

pytest.importorskip("selenium")  # pinned for the tests; collecting works without it
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.real.browser import Browser
from tests.real.free_port import free_port
from tests.real.home_assistant import HomeAssistant
from tests.real.prefix_proxy import prefix_proxy
from tests.service_process import Service, poll

HOSTILE = "<img src=x onerror='window.hacked=1'></bdi><script>window.hacked=1</script>\u202e مصباح 🏠"


@contextmanager
def serving(folder: Path, *argv: str, **given: Any) -> Iterator[tuple[Service, str]]:
    """A service in a process of its own, and its address."""
    folder.mkdir(exist_ok=True)
    service = Service(folder, *argv, **given)
    try:
        yield service, service.wait_until_serving()
    finally:
        service.process.kill()
        service.process.communicate()


@contextmanager
def serving_home(folder: Path, home: HomeAssistant, *argv: str) -> Iterator[str]:
    """The address of a service that follows a real Home Assistant, and has once caught up with it."""
    with serving(folder, *argv, source=home.url, RECONCILE_SOURCE__TOKEN=home.token) as (_, address):
        poll(address, "/api/status", "in_sync")
        yield address


def wreck(folder: Path, *statements: str) -> None:
    """Write into the rows as another program would."""
    connection = apsw.Connection(str(folder / "rows.db"), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(60_000)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def mark(browser: Browser) -> None:
    """So that `is_marked` can detect whether the page was loaded again since."""
    browser.run("window.marked = 1")


def is_marked(browser: Browser) -> bool:
    return browser.run("return window.marked === 1") is True


def texts(browser: Browser, selector: str) -> list[str]:
    """What all such elements show at one moment."""
    script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText.trim())"
    return list(browser.run(script, selector))


@pytest.mark.real_server
def test_wrecked_rows_are_reported_repaired_and_reported_again(
    browser: Browser, home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    with serving_home(tmp_path / "service", home_assistant) as address:
        browser.open_in_sync(address)
        mark(browser)
        mocks = ", ".join(f"('{n:032x}', 'Mock {n}')" for n in range(5))
        wreck(
            tmp_path / "service",
            "UPDATE entities SET original_name = 'Wrecked' WHERE entity_id = 'light.bed_light'",
            f"INSERT INTO devices (device_id, name) VALUES {mocks}",
        )
        browser.until_text("status-word", "Out of sync")
        browser.until_text("status-sentence", "5 foreign rows are left alone")
        browser.until_text("drift", "Mock 4")
        assert "Home Assistant was never seen to have this id" in browser.text("drift")
        assert "plan.prune_foreign" in browser.text("drift")
        browser.until_text("changes", "Wrecked")
        assert "Repaired: another program had changed it in SQLite" in browser.text("changes")
        assert browser.driver.title.startswith("Out of sync")
        wreck(tmp_path / "service", "DELETE FROM devices WHERE name LIKE 'Mock %'")
        browser.until_text("status-word", "In sync")
        assert "No differences." in browser.text("drift")
        assert is_marked(browser), "all of it came by itself"
        assert browser.errors() == []


@pytest.mark.real_server
def test_a_file_that_is_no_database_any_more_is_reported_and_built_again(
    browser: Browser, home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    folder = tmp_path / "service"
    with serving_home(folder, home_assistant) as address:
        browser.open_in_sync(address)
        for name in ("rows.db", "rows.db-wal", "rows.db-shm"):
            (folder / name).unlink(missing_ok=True)
        (folder / "rows.db").write_bytes(b"wrecked " * 4096)
        browser.until_text("status-word", "Unknown")
        browser.until_text("status-sentence", "SQLite could not be compared")
        browser.until_text("changes", "it is damaged or not a SQLite database")
        (folder / "rows.db").unlink()
        browser.until_text("status-word", "In sync")
        assert "devices" in browser.text("found")


@pytest.mark.real_server
def test_a_rename_in_home_assistant_appears_as_a_sentence(
    browser: Browser, home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    with serving_home(tmp_path / "service", home_assistant) as address:
        browser.open_in_sync(address)
        search = browser.driver.find_element(By.ID, "q")
        search.click()
        mark(browser)
        update = "config/entity_registry/update"
        try:
            for name in ("Seen on the page", HOSTILE, "x" * 255):
                home_assistant.command(update, entity_id="light.bed_light", name=name)
                browser.until_text("changes", name)
                assert browser.text("changes").count("written to SQLite") > 0
            sentences = texts(browser, "#changes li p")
            assert any("written to SQLite in" in sentence for sentence in sentences[:3])
            assert browser.driver.switch_to.active_element == search, "what a person is doing is left alone"
            assert browser.run("return window.hacked") is None
            assert browser.driver.find_elements(By.TAG_NAME, "img") == []
            browser.show_as(width=390, height=844)
            for path in ("", "?q=light", "entity?id=light.bed_light", "changes", "entities", "help", "drift"):
                browser.open(f"{address}/{path}")
                assert browser.run("return document.documentElement.scrollWidth") == 390
            assert browser.errors() == []
        finally:
            home_assistant.command(update, entity_id="light.bed_light", name=None)


@pytest.mark.real_server
def test_a_lost_home_assistant_is_unknown_until_it_is_back(
    browser: Browser, fresh_home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    with serving_home(tmp_path / "service", fresh_home_assistant) as address:
        browser.open_in_sync(address)
        fresh_home_assistant.stop()
        browser.until_text("status-word", "Unknown")
        browser.until_text("status-sentence", "Home Assistant is out of reach")
        fresh_home_assistant.start()
        browser.until_text("status-word", "In sync")


def test_a_lost_service_is_stale_until_it_is_back(browser: Browser, tmp_path: Path) -> None:
    folder, port = tmp_path / "service", str(free_port())
    with serving(folder, RECONCILE_HTTP__PORT=port) as (service, address):
        browser.open_in_sync(address)
        assert not browser.driver.find_element(By.ID, "stale").is_displayed()
        service.stop()
    browser.until_text("status-word", "Unknown")
    assert "It was then: In sync" in browser.text("status-sentence")
    assert "Everything below is as of" in browser.text("stale")
    assert browser.driver.find_element(By.ID, "stale").is_displayed()
    assert browser.driver.title.startswith("Unknown")
    assert texts(browser, ".card .pill") == ["Unknown"] * 3
    assert browser.run("return document.getElementById('status').className") == "status unknown"
    with serving(folder, RECONCILE_HTTP__PORT=port):
        browser.until_text("status-word", "In sync")
        assert not browser.driver.find_element(By.ID, "stale").is_displayed()
        assert texts(browser, ".card .pill") == ["Connected", "In sync", "In sync"]


def test_without_javascript_all_of_it_works(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path / "service") as (_, address):
        poll(address, "/api/status", "in_sync")
        browser.command("Emulation.setScriptExecutionDisabled", value=True)
        browser.open(address)
        assert browser.text("status-word") == "In sync"
        assert browser.driver.find_elements(By.CSS_SELECTOR, "meta[http-equiv=refresh]")
        browser.driver.find_element(By.ID, "q").send_keys("bed light", Keys.ENTER)
        browser.until_text("found", "light.bed_light")
        browser.click(By.LINK_TEXT, "Bed Light")
        browser.until(lambda: "First seen" in browser.driver.find_element(By.ID, "main").text, "its timeline")
        browser.click(By.CSS_SELECTOR, ".timeline a")
        browser.until(
            lambda: "As it was at" in browser.driver.find_element(By.ID, "main").text, "the record then"
        )
        browser.click(By.LINK_TEXT, "Home")
        browser.until_text("status-word", "In sync")


def test_search_and_time_follow_the_input(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path / "service") as (_, address):
        poll(address, "/api/status", "in_sync")
        browser.command("Emulation.setTimezoneOverride", timezoneId="Asia/Kolkata")
        browser.open(address)
        mark(browser)
        browser.driver.find_element(By.ID, "q").send_keys("bed light")
        browser.until_text("found", "light.bed_light")
        browser.until(lambda: "Kitchen" not in browser.text("found"), "only what was searched for")
        assert is_marked(browser)
        browser.open(f"{address}/?at=2100-01-01T00:00")
        assert browser.driver.find_element(By.ID, "at").get_attribute("value") == "2100-01-01T05:30"
        browser.click(By.CSS_SELECTOR, ".asked button")
        browser.until(lambda: "at=2100-01-01T00%3A00" in browser.driver.current_url, "the time in UTC")
        assert "which is yet to come" in browser.text("found")


def test_by_keyboard_one_gets_everywhere(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path / "service") as (_, address):
        poll(address, "/api/status", "in_sync")
        browser.open(address)
        body = browser.driver.find_element(By.TAG_NAME, "body")
        body.send_keys(Keys.TAB)
        assert browser.driver.switch_to.active_element.text == "Skip to the content"
        reached = set()
        for _ in range(60):
            element = browser.driver.switch_to.active_element
            reached |= {element.get_attribute("id"), element.get_attribute("href")}
            outline = element.value_of_css_property("outline-style")
            assert outline != "none", element.get_attribute("outerHTML")
            element.send_keys(Keys.TAB)
        assert {"q", "at", f"{address}/#drift"} <= reached


@pytest.mark.usefixtures("axe")
def test_axe_finds_nothing_that_matters(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "service"
    with serving(folder) as (_, address):
        poll(address, "/api/status", "in_sync")
    wreck(
        folder,
        "UPDATE devices SET name = 'Mocked' WHERE name = 'Bed Light'",
        "INSERT INTO devices (device_id, name) VALUES ('f', 'Foreign')",
    )
    with serving(folder, "--observe") as (service, address):
        poll(address, "/api/status", "out_of_sync")
        found = []
        pages = [
            "",
            "drift",
            "changes",
            "?q=light",
            "?loose=true",
            "entity?id=light.bed_light",
            "device?id=f",
            "devices",
            "help",
        ]
        pages += ["entities?q=light&domain=light", "area?id=kitchen", "device?id=none", "drift?state=foreign"]
        for scheme, width in (("light", 1200), ("dark", 390)):
            browser.show_as(scheme=scheme, width=width)
            for path in pages:
                browser.open(f"{address}/{path}")
                found += [
                    f"{scheme} {width} /{path}: {finding}" for finding in browser.accessibility_findings()
                ]
        browser.open(address)
        service.stop()
        browser.until_text("status-word", "Unknown")
        found += browser.accessibility_findings()
    assert found == []


def test_the_token_is_requested_once_and_appears_nowhere(browser: Browser, tmp_path: Path) -> None:
    token = "a-very-secret-token"
    with serving(tmp_path / "service", RECONCILE_HTTP__TOKEN=token) as (service, address):
        browser.open(address)
        assert browser.text("status-word") == ""
        # What a person types into the browser's own question; a test can only say it so.
        browser.open_in_sync(address.replace("://", f"://me:{token}@"))
        mark(browser)
        wreck(tmp_path / "service", "UPDATE devices SET name = 'Mocked' WHERE name = 'Bed Light'")
        browser.until_text("changes", "Mocked")
        assert is_marked(browser)
        links = browser.run("return [...document.links].map((a) => a.getAttribute('href')).join()")
        assert token not in links + browser.driver.page_source
        assert token not in service.stop()[1]


def test_it_works_below_the_prefix_of_ingress(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "service"
    with (
        serving(folder, RECONCILE_HTTP__TRUSTED_PEERS="127.0.0.1") as (_, address),
        prefix_proxy(address) as below,
    ):
        poll(address, "/api/status", "in_sync")
        browser.open_in_sync(below)
        mark(browser)
        wreck(folder, "UPDATE devices SET name = 'Mocked' WHERE name = 'Bed Light'")
        browser.until_text("changes", "Mocked")
        assert is_marked(browser)
        browser.click(By.LINK_TEXT, "Bed Light")
        browser.until(lambda: "First seen" in browser.driver.find_element(By.ID, "main").text, "its timeline")
        browser.click(By.CSS_SELECTOR, ".brand")
        browser.until_text("status-word", "In sync")
        assert browser.driver.current_url == below
        assert browser.errors() == []
