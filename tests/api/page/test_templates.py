"""The templates: nothing in them turns escaping off, and links hold no more than was meant."""

import gc
import re

import pytest
from jinja2 import UndefinedError

from api.page.templates import FOLDER, MEDIA_TYPES, STATIC, digest, link, load_templates, render
from engine.core.state.status import ReplicaStatus
from engine.core.words import SyncStatus
from tests.api.page.markup import Markup
from tests.api.serving import Api, status_of

TEMPLATES = sorted((FOLDER / "templates").iterdir())
PROBLEM = {"title": "T", "now": 0.0, "up": "", "status": {"word": "W", "site": "s", "version": "1"}}


def test_no_template_turns_escaping_off_or_has_a_script_or_style_inside() -> None:
    for path in TEMPLATES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe|autoescape|Markup|<style|style=|<script(?! src)|\son\w+=", text), (
            path.name
        )


def test_every_value_in_an_attribute_is_quoted() -> None:
    for path in TEMPLATES:
        assert not re.search(r"=\{\{", path.read_text(encoding="utf-8")), path.name


def test_shown_values_are_escaped() -> None:
    hostile = "</bdi><script>alert(1)</script>\"'&"
    html = render("problem.html", {**PROBLEM, "detail": hostile}).decode()
    page = Markup(html)
    assert hostile in page.one("main").text
    assert len(page.all("script")) == 1


def test_half_a_character_breaks_nothing() -> None:
    assert b"a?b" in render("problem.html", {**PROBLEM, "detail": "a\ud800b"})
    assert link("device", id="a\ud800b") == "device?id=a%3Fb"


def test_a_value_that_was_forgotten_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("problem.html", PROBLEM)


async def test_every_template_compiles() -> None:
    await load_templates()


def test_links_are_relative_and_omit_absent_parts() -> None:
    assert link("device", id="a b&c=<d>", at="") == "device?id=a+b%26c%3D%3Cd%3E"
    assert link("./", "home", area="küche", page=2, q=None, loose=False) == "./?area=k%C3%BCche&page=2#home"


def test_static_files_are_named_by_their_content() -> None:
    assert set(STATIC) == {"icon.svg", "page.css", "page.js"}
    assert all(f".{name.rpartition('.')[2]}" in MEDIA_TYPES for name in STATIC)
    assert digest(b"a") != digest(b"b")


def test_a_page_leaves_no_cycles_of_objects_behind() -> None:
    """They would stay until Python looks for them: of macros made for each page a service held 16 MB."""
    values = {**PROBLEM, "detail": "d"}
    render("problem.html", values)
    gc.collect()
    gc.disable()
    try:
        render("problem.html", values)
        assert gc.collect() == 0
    finally:
        gc.enable()


async def test_before_the_first_comparison_no_page_says_that_nothing_differs(api: Api) -> None:
    api.status = status_of(None, replicas=(ReplicaStatus("sqlite", SyncStatus.UNKNOWN),))
    for path in ("/", "/drift"):
        text = (await api.client.get(path)).text
        assert "Nothing was compared yet." in text
        assert "No differences" not in text
