"""Every kind of page in a real browser: accessible, light, without errors, and no wider than a phone, in both schemes."""

import gzip
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("selenium")  # pinned for the tests; collecting works without it

from api.page.routes import PAGE_ROUTES
from api.page.templates import STATIC
from tests.real.browser import Browser
from tests.real.home_assistant import HomeAssistant
from tests.real.test_page import serving, serving_home, wreck
from tests.service_process import ROOT, SAMPLE, Service, get, poll, wait_until

WEIGHT_MAX = 40_000  # bytes, compressed
WRECKED = (
    "UPDATE devices SET name = 'Mocked' WHERE name = 'Bed Light'",
    "UPDATE entities SET entity_id = 'light.bedside' WHERE entity_id = 'light.bed_light'",
    "INSERT INTO devices (device_id, name) VALUES ('f', 'Foreign')",
    "DELETE FROM areas WHERE area_id = 'kuche'",
    "DELETE FROM floors WHERE floor_id = 'cellar'",
    "DELETE FROM labels WHERE label_id = 'solar'",
)
# Each address, and a text that shows that it is the page that was meant.
PAGES = {
    "": "What to do",
    "?q=light": "Shown:",
    "?loose=true": "Entities without a device",
    "?q=nothing.is_called_so": "What became of an entity of this id",
    "drift": "To compare now",
    "drift?state=foreign": "Shown: 1 record of",
    "changes": "Changes",
    "device?id=f": "Home Assistant was never seen to have this id",
    "entity?id=light.bed_light": "light.bedside",
    "area?id=kitchen": "Real",
    "area?id=kuche": "Missing",
    "floor?id=ground_floor": "Real",
    "floor?id=cellar": "Missing",
    "label?id=critical": "Real",
    "label?id=solar": "Missing",
    "integration?id=01M83ZKQEZFG5SJA71ZF57S12H": "Real",
    "category?id=automation/01M84338TN0NKW7TYFWDSXKTGF": "Cat automation",
    "devices": "Manufacturer",
    "devices?state=drifted": "1 of",
    "entities?q=light&domain=light": "Entity id",
    "device?id=none": "There is no device",
    "docs": "GET /api/devices",
    "help": "What it means",
    "home": "devices",
    "live": "What to do",
}
# Parts of a page, which are in another one.
PARTS = ("home", "live")


def findings(browser: Browser, address: str, path: str, wanted: str) -> list[str]:
    """What is wrong with a page in either scheme, as wide as a desk or as a phone."""
    found = []
    for scheme, width in (("light", 1200), ("dark", 1200), ("light", 390), ("dark", 390)):
        browser.show_as(scheme=scheme, width=width)
        browser.open(f"{address}/{path}")
        shown = browser.run("return document.body.innerText")
        found += [] if wanted in shown else [f"{wanted!r} is not on it: {shown[:300]}"]
        if path in PARTS:
            return found
        found += browser.accessibility_findings()
        if browser.run("return document.documentElement.scrollWidth") > width:
            found.append(f"wider than {width}")
        # A page that says that there is no such record has another status, which the browser logs.
        found += [error for error in browser.errors() if "status of 404" not in error]
    return [f"/{path} in {scheme}, {width}: {finding}" for finding in found]


def weight(address: str, path: str) -> int:
    """Bytes that a browser loads for a page, compressed as the service does it."""
    try:
        with urllib.request.urlopen(f"{address}/{path}", timeout=60) as answer:
            body = answer.read()
    except urllib.error.HTTPError as answer:
        body = answer.read()
    return sum(len(gzip.compress(part, 1)) for part in (body, *STATIC.values()))


def test_every_route_of_the_page_is_among_them() -> None:
    assert {f"/{path.partition('?')[0]}" for path in PAGES} == {route.path for route in PAGE_ROUTES}


@pytest.mark.usefixtures("axe")
def test_each_page_of_a_home_is_accessible_light_and_fits_a_phone(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "service"
    with serving(folder) as (_, address):
        poll(address, "/api/status", "in_sync")
    wreck(folder, *WRECKED)
    with serving(folder, "--observe") as (_, address):
        poll(address, "/api/status", "out_of_sync")
        found = [each for path, wanted in PAGES.items() for each in findings(browser, address, path, wanted)]
        assert found == []
        assert {path: size for path in PAGES if (size := weight(address, path)) > WEIGHT_MAX} == {}


@pytest.mark.usefixtures("axe")
@pytest.mark.real_server
def test_the_pages_of_a_real_home_too(
    browser: Browser, home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    folder = tmp_path / "service"
    with serving_home(folder, home_assistant):
        pass
    wreck(
        folder,
        "UPDATE entities SET original_name = 'Mocked' WHERE entity_id = 'light.bed_light'",
        "DELETE FROM entities WHERE entity_id = 'light.ceiling_lights'",
        "INSERT INTO devices (device_id, name) VALUES ('f', 'Sun')",
    )
    pages = {
        "": "What to do",
        "?q=sun": "Shown:",
        "drift": "To compare now",
        "drift?state=foreign": "Shown: 1 record of",
        "device?id=f": "Home Assistant was never seen to have this id",
        "entity?id=light.bed_light": "Mocked",
        "entity?id=light.ceiling_lights": "Missing",
        "entity?id=light.kitchen_lights": "Real",
        "devices": "Manufacturer",
        "entities?state=drifted": "1 of",
        "changes": "was added",
        "help": "What it means",
    }
    given = {"source": home_assistant.url, "RECONCILE_SOURCE__TOKEN": home_assistant.token}
    with serving(folder, "--observe", **given) as (_, address):
        poll(address, "/api/status", "out_of_sync")
        found = [each for path, wanted in pages.items() for each in findings(browser, address, path, wanted)]
        assert found == []
        assert {path: size for path in pages if (size := weight(address, path)) > WEIGHT_MAX} == {}


@contextmanager
def serving_homes(folder: Path) -> Iterator[str]:
    """The address of a service that keeps two homes and cannot keep a third."""
    text = '[sites]\ndirectory = "sites.d"\nstate = "state"\nsecrets = "secrets"\n[http]\nport = 0\n'
    (folder / "reconcile.toml").write_text(text, encoding="utf-8")
    (folder / "sites.d").mkdir()
    for name in ("beach", "city"):
        (folder / "sites.d" / f"{name}.toml").write_text(f'[source]\nuri = "{SAMPLE}"\n', encoding="utf-8")
    (folder / "sites.d" / "broken.toml").write_text("[source\n", encoding="utf-8")
    command = [sys.executable, "-m", "engine", "serve"]
    service = Service.started_by(command, folder, {**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        address = service.wait_until_serving()
        wait_until(lambda: get(address, "/api/sites")["by_status"].get("in_sync") == 2, "two homes in sync")
        yield address
    finally:
        service.stop()


@pytest.mark.usefixtures("axe")
def test_the_pages_of_many_homes_too(browser: Browser, tmp_path: Path) -> None:
    pages = {
        "": "2 of 3 homes in sync",
        "?q=beach&status=in_sync": "1 home found",
        "sites/beach/": "In sync",
        "sites/beach/entities": "Entity id",
        "sites/broken/": "All homes",
    }
    with serving_homes(tmp_path) as address:
        found = [each for path, wanted in pages.items() for each in findings(browser, address, path, wanted)]
        assert "\n".join(each for each in found if "status of 503" not in each) == ""
        assert {path: size for path in pages if (size := weight(address, path)) > WEIGHT_MAX} == {}
