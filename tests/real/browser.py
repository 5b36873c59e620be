"""A real headless Chromium, Debian's, driven through its chromedriver; and axe-core, which judges accessibility.

Nothing is fetched but axe-core. Another process has no virtual time, so it is polled,
with a bound far above what it needs.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.real.npm_package import npm_package

AXE_VERSION = "4.14.1"
WAIT_SECONDS = 60.0
# Without the first, root cannot start it; without the others it asks the world, which a test must not.
_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--hide-scrollbars",
)


class BrowserMissingError(Exception):
    """There is no browser; the message says what to install."""


class Browser:
    """One tab of a browser with an empty profile."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, address: str) -> None:
        """Go there and wait until it is loaded."""
        self.driver.get(address)

    def open_in_sync(self, address: str) -> None:
        """Go to a page that shows the status, and wait until all is in sync."""
        self.open(address)
        self.until_text("status-word", "In sync")

    def text(self, id_: str) -> str:
        """What an element shows; an absent one shows nothing."""
        while True:
            with suppress(StaleElementReferenceException):  # the page has renewed it in between
                found = self.driver.find_elements(By.ID, id_)
                return found[0].text if found else ""

    def click(self, by: str, what: str) -> None:
        """Click what is there, or about to be there; the page may renew it at any moment."""

        def is_clicked() -> bool:
            self.driver.find_element(by, what).click()
            return True

        self.until(is_clicked, f"{what} to click on")

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns in the page."""
        return self.driver.execute_script(script, *arguments)

    def until(self, is_so: Callable[[], Any], what: str) -> None:
        """Wait for something that is to come by itself."""
        wait = WebDriverWait(self.driver, WAIT_SECONDS, 0.05, [StaleElementReferenceException])
        try:
            wait.until(lambda _driver: is_so())
        except TimeoutException as expired:
            shown = self.driver.find_element(By.TAG_NAME, "body").text
            raise AssertionError(f"never came: {what}; the page says:\n{shown[:2000]}") from expired

    def until_text(self, id_: str, wanted: str) -> None:
        """Wait until an element says something."""
        self.until(lambda: wanted in self.text(id_), f"{wanted!r} in #{id_}")

    def command(self, name: str, **parameters: Any) -> Any:
        """One command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, parameters)

    def show_as(self, *, scheme: str = "light", width: int = 1200, height: int = 900) -> None:
        """Colour scheme and size of the window."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.command("Emulation.setEmulatedMedia", features=features)
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )

    def errors(self) -> list[str]:
        """What the browser complained of since it was last asked: scripts, blocked content, failed requests."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]  # selenium has none here
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def accessibility_findings(self) -> list[str]:
        """Axe-core's findings that matter: moderate, serious and critical ones."""
        self.run(axe_source())
        result = self.driver.execute_async_script("axe.run().then(arguments[0])")
        assert result["passes"], "axe-core looked at nothing"
        return [
            f"{found['impact']}: {found['id']}: {node['html']}: {node['failureSummary']}"
            for found in result["violations"]
            if found["impact"] in ("moderate", "serious", "critical")
            for node in found["nodes"]
        ]


@contextmanager
def running_browser(profile: Path) -> Iterator[Browser]:
    """A browser with its profile in a folder of the caller. Raises BrowserMissingError."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        raise BrowserMissingError("no chromium: `apt-get install chromium chromium-driver`")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    # Its path is given, or selenium would look for a driver in the world.
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    try:
        driver.set_page_load_timeout(WAIT_SECONDS)
        driver.set_script_timeout(WAIT_SECONDS)
        yield Browser(driver)
    finally:
        driver.quit()


def axe_source() -> str:
    """The script of axe-core. Raises PackageMissingError."""
    return (npm_package("axe-core", AXE_VERSION) / "axe.min.js").read_text(encoding="utf-8")
