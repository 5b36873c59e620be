"""What a page has a reader type works from an empty folder: files are written before they are read, and requests carry the token."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
every_page = pytest.mark.parametrize("name", PAGES)


def blocks(name: str, language: str) -> str:
    return "\n".join(re.findall(rf"(?ms)^\s*```{language}\n(.*?)^\s*```$", PAGES[name]))


@every_page
def test_a_secret_that_settings_name_is_written_on_the_page(name: str) -> None:
    typed = blocks(name, "sh")
    named = re.findall(r'(?m)^\w+_file = "([^"/]+)"', blocks(name, "toml"))
    assert [file for file in named if not re.search(rf"> ?{re.escape(file)}\b", typed)] == []


@every_page
def test_a_folder_that_is_written_to_is_made_on_the_page(name: str) -> None:
    typed = blocks(name, "sh")
    folders = re.findall(r'store snapshot .*?"?([\w.-]+)/[^/\s]*$', typed, re.MULTILINE)
    assert [folder for folder in folders if not re.search(rf"mkdir .*\b{re.escape(folder)}\b", typed)] == []


@every_page
def test_a_request_carries_the_token_where_the_page_sets_one(name: str) -> None:
    if 'token_file = "api-token"' not in blocks(name, "toml"):
        return
    requests = re.findall(r"(?m)^curl .*$", blocks(name, "sh"))
    assert [request for request in requests if ' -H "$auth"' not in request] == []
