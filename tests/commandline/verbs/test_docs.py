"""`reconcile docs`."""

from pathlib import Path

import pytest

from engine.commandline.verbs import docs
from engine.core.state.advice import GUARDS, KINDS
from engine.core.words import GuardName
from tests.commandline.in_process import Reconcile

DOCS = Path(__file__).parents[3] / "docs"


def test_without_a_topic_every_page_and_word_is_listed(reconcile: Reconcile) -> None:
    code, out, err = reconcile("docs")
    assert (code, err) == (0, "")
    for page in DOCS.rglob("*.md"):
        assert f"  {page.relative_to(DOCS).with_suffix('').as_posix()} " in out
    assert all(word in out for word in (*GUARDS, *KINDS))


@pytest.mark.parametrize("topic", ["how-to/upgrade", "upgrade", "docs/how-to/upgrade.md"])
def test_a_page_is_printed_by_its_name(reconcile: Reconcile, topic: str) -> None:
    assert reconcile("docs", topic).out == (DOCS / "how-to" / "upgrade.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("word", [*GUARDS, *KINDS])
def test_a_word_of_a_message_is_explained_and_leads_to_a_page(reconcile: Reconcile, word: str) -> None:
    advice = GUARDS[GuardName(word)] if word in GUARDS else KINDS[word]
    code, out, err = reconcile("docs", word)
    assert (code, err) == (0, "")
    assert advice.meaning in out
    assert advice.action in out
    page = out.rpartition("More: reconcile docs ")[2].strip()
    assert (DOCS / f"{page}.md").exists()


def test_an_unknown_name_is_refused_and_an_ambiguous_one_lists_its_pages(reconcile: Reconcile) -> None:
    assert "There is no page and no explanation of 'upgrde'." in reconcile("docs", "upgrde").err
    assert "how-to/influxdb and reference/influxdb" in reconcile("docs", "influxdb").err
    assert reconcile("docs", "influxdb").code == 1


def test_an_installation_without_pages_reports_it_and_still_explains_words(
    reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(docs, "FOLDERS", (tmp_path,))
    assert "does not include the pages" in reconcile("docs").out
    assert GUARDS[GuardName.DELETE_RATIO].meaning in reconcile("docs", "delete_ratio").out
