"""The site of docs/: complete, without a broken link, and loading nothing from other hosts; its search works from files."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from ops.site import build
from tests.availability import skip_or_fail
from tests.ops.programs import OPS, ROOT, run
from tests.real.browser import Browser, BrowserMissingError, running_browser
from tests.real.npm_package import PackageMissingError

pytestmark = pytest.mark.process

ENVIRONMENT = ROOT / ".venv-docs" / "bin"


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the site is made of."""
    folder = tmp_path_factory.mktemp("staged")
    build.stage(folder)
    return folder


def made(staged: Path) -> tuple[int, str]:
    program = ENVIRONMENT / "zensical"
    if not program.exists():
        skip_or_fail("no zensical: `sh ops/docs --site` installs it into .venv-docs")
    done = run("/bin/sh", "-c", f'cd "$0" && exec "{program}" build --strict --clean', staged)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(staged: Path) -> Path:
    code, said = made(staged)
    assert code == 0, said
    return staged / "site"


def pages_of_navigation(entries: list[object]) -> list[str]:
    found = []
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            found += pages_of_navigation(value) if isinstance(value, list) else [str(value)]
    return found


def test_every_page_is_in_the_navigation_once(staged: Path) -> None:
    navigation = tomllib.loads((OPS / "site" / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    pages = {page.relative_to(staged / "docs").as_posix() for page in (staged / "docs").rglob("*.md")}
    assert sorted(pages_of_navigation(navigation)) == sorted(pages)


def test_a_link_that_leads_outside_is_refused() -> None:
    with pytest.raises(build.LinkOutside, match=r"docs/how-to/a\.md: \.\./\.\./pyproject\.toml"):
        build.within_site("how-to/a.md", "[x](../../pyproject.toml)")
    text = "[a](https://example.org/x) [b](../../ops/RUNBOOK.md#x) [c](../explanation.md)"
    assert build.within_site("how-to/a.md", text) == (
        "[a](https://example.org/x) [b](../runbook.md#x) [c](../explanation.md)"
    )


def test_a_directory_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert build.build(tmp_path) == build.CANNOT_CREATE
    assert (tmp_path / "thesis.txt").exists()


def test_a_broken_link_or_heading_fails_the_build(staged: Path, tmp_path: Path) -> None:
    for link in ("gone.md", "explanation.md#gone"):
        copy = tmp_path / link.replace("#", "-")
        shutil.copytree(staged, copy, ignore=shutil.ignore_patterns("site", ".cache"))
        page = copy / "docs" / "tutorial.md"
        page.write_text(page.read_text(encoding="utf-8") + f"\n[x]({link})\n", encoding="utf-8")
        code, said = made(copy)
        assert code != 0, said


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loading = re.compile(
        r"<(?:script|img|source|iframe)[^>]*(?:src|srcset)=\"?(?:https?:)?//|<link[^>]*href=\"?(?:https?:)?//"
    )
    found = [page for page in site.rglob("*.html") if loading.search(page.read_text(encoding="utf-8"))]
    styles = [
        page
        for page in site.rglob("*.css")
        if re.search(r"url\([\"']?(?:https?:)?//", page.read_text(encoding="utf-8"))
    ]
    assert found + styles == []
    # The theme would fetch what these want from a CDN.
    assert [
        page for page in site.rglob("*.html") if 'class="mermaid' in page.read_text(encoding="utf-8")
    ] == []


@pytest.mark.parametrize("page", ["index", "recipes", "reference/settings"])
def test_a_page_is_accessible(site: Path, tmp_path: Path, page: str) -> None:
    """Moderate is what axe-core finds of the theme's own copy buttons."""
    try:
        with running_browser(tmp_path) as browser:
            browser.open((site / f"{page}.html").as_uri())
            findings = browser.accessibility_findings()
    except (BrowserMissingError, PackageMissingError) as missing:
        skip_or_fail(str(missing))
    assert [found for found in findings if not found.startswith("moderate")] == []


def test_search_works_without_a_web_server(site: Path, tmp_path: Path) -> None:
    try:
        with running_browser(tmp_path) as browser:
            browser.open((site / "index.html").as_uri())
            browser.until(lambda: is_search_open(browser), "the search dialog")
            ActionChains(browser.driver).send_keys("tombstone").perform()
            browser.until(lambda: re.search(r"\d+ results?", shown_in_dialog(browser)), "results")
            assert browser.errors() == []
    except BrowserMissingError as missing:
        skip_or_fail(str(missing))


def is_search_open(browser: Browser) -> bool:
    """Presses its key until it is: until the page's script has loaded, the key does nothing."""
    focused = "return document.activeElement?.shadowRoot?.activeElement?.tagName ?? ''"
    if browser.run(focused) == "INPUT":
        return True
    ActionChains(browser.driver).key_down(Keys.CONTROL).send_keys("k").key_up(Keys.CONTROL).perform()
    return bool(browser.run(focused) == "INPUT")


def shown_in_dialog(browser: Browser) -> str:
    script = "return [...document.querySelectorAll('*')].map(e => e.shadowRoot?.textContent ?? '').join('')"
    return str(browser.run(script))
