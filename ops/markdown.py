"""Pages and tables in Markdown, for the reference pages that `ops/documentation.py` writes."""

from collections.abc import Iterable, Sequence

_NOTE = "<!-- Written by `sh ops/docs` from the code; change the code, not this page. -->"


def page(title: str, *parts: str) -> str:
    """A whole page."""
    return "\n\n".join([f"# {title}", _NOTE, *(part.strip() for part in parts)]) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a line's end or a bar within a cell would end it."""
    lines = [header, ["---"] * len(header), *rows]
    cells = ([" ".join(cell.split()).replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
