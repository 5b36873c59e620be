"""`reconcile docs`: the pages of the documentation in the terminal, and explanations of terms in messages.

A guard or a verdict is explained with the program's own texts, which are the same everywhere; other topics are pages.
The pages are those of this version: in the package, or in the checkout.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.exit_codes import OK
from engine.commandline.output import emit_text
from engine.core.state.advice import GUARDS, KINDS, Advice
from engine.core.words import GuardName
from engine.errors import SettingsError

_ENGINE = Path(__file__).parents[2]
FOLDERS = (_ENGINE / "docs", _ENGINE.parent / "docs")  # in an installed package, in a checkout
_HELD = "how-to/allow-a-held-delete"


def run_docs(arguments: Arguments) -> int:
    """Print one page, one explanation, or the list of both. Raises SettingsError for an unknown topic."""
    pages = find_pages()
    topic = arguments.topic.strip().removeprefix("docs/").removesuffix(".md")
    if not topic:
        emit_text(_contents(pages))
    elif topic in GUARDS:
        emit_text(_explained(topic, GUARDS[GuardName(topic)], _HELD if _HELD in pages else ""))
    elif topic in KINDS:
        emit_text(_explained(topic, KINDS[topic], "explanation" if "explanation" in pages else ""))
    else:
        emit_text(_page(topic, pages).read_text(encoding="utf-8"))
    return OK


def find_pages() -> dict[str, Path]:
    """The pages by name, such as `how-to/upgrade`; empty if the package was built without them."""
    for folder in FOLDERS:
        found = sorted(folder.rglob("*.md"))
        if found:
            return {path.relative_to(folder).with_suffix("").as_posix(): path for path in found}
    return {}


def topics() -> list[str]:
    """All terms that can be explained."""
    return [*find_pages(), *GUARDS, *KINDS]


def _contents(pages: Mapping[str, Path]) -> str:
    lines = ["Pages, shown by `reconcile docs PAGE`:"]
    width = max(map(len, pages), default=0)
    lines += [f"  {name:{width}}  {_title(path)}" for name, path in pages.items()]
    if not pages:
        lines = ["This installation does not include the pages; they are in docs/ of the repository."]
    lines += ["", "Terms in messages, explained by `reconcile docs TERM`:"]
    lines += [f"  {', '.join(GUARDS)}", f"  {', '.join(KINDS)}"]
    return "\n".join(lines) + "\n"


def _title(path: Path) -> str:
    match = re.search(r"(?m)^# (.*)$", path.read_text(encoding="utf-8"))
    return match[1] if match else ""


def _explained(word: str, advice: Advice, page: str) -> str:
    lines = [f"{word}: {advice.title}.", advice.meaning, advice.action]
    lines += [f"  {advice.command}"] if advice.command else []
    lines += [f"More: reconcile docs {page}"] if page else []
    return "\n".join(lines) + "\n"


def _page(topic: str, pages: Mapping[str, Path]) -> Path:
    """The page of this name; the last part suffices if it is unique."""
    if topic in pages:
        return pages[topic]
    meant = [name for name in pages if name.rpartition("/")[2] == topic]
    if len(meant) == 1:
        return pages[meant[0]]
    if meant:
        raise SettingsError(f"{topic!r} may be one of {' and '.join(meant)}.", "Write the whole name.")
    raise SettingsError(
        f"There is no page and no explanation of {topic!r}.", "`reconcile docs` lists what there is."
    )
