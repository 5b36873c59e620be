"""Writes `bench/README.md`: prose from `README.template.md`, figures from `figures.json`.

    python -m bench.readme          # takes over what was measured since (var/bench), then writes
    python -m bench.readme write    # only writes

A line of the template such as `{{ burst }}` stands for a table of a benchmark's figures. It can be narrowed:
`{{ passes | size: 20,000 entities | unit: x floor; x bare }}`, `{{ processes | name: GET }}` (beginnings of names), and
`{{ passes | unit: ms | as: sizes }}` has a column for each size. `tests/bench` holds that the README is what these two give.
"""

import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.figures import RESULTS, Figure, number_text

FOLDER = Path(__file__).parent
FIGURES, TEMPLATE, README = FOLDER / "figures.json", FOLDER / "README.template.md", FOLDER / "README.md"
_DIRECTIVE = re.compile(r"^\{\{ (.+) \}\}$", re.MULTILINE)
_GROWTH = "growth, "


class Group(msgspec.Struct, frozen=True):
    """What one benchmark measured last. `load` is what else the machine did then, as its load average."""

    taken_on: str
    python: str
    cores: int
    load: float | None
    figures: list[Figure]


Groups = dict[str, Group]


class _Stats(msgspec.Struct, frozen=True):
    median: float  # seconds


class _Part(msgspec.Struct, frozen=True):
    name: str
    stats: _Stats


class _Parts(msgspec.Struct, frozen=True):
    benchmarks: list[_Part]


def read_groups() -> Groups:
    """The figures that are kept."""
    return msgspec.json.decode(FIGURES.read_bytes(), type=Groups)


def take_over(groups: Groups, folder: Path) -> Groups:
    """The groups, with what was measured since the figures were kept in the place of what was before."""
    kept_at = FIGURES.stat().st_mtime
    found = dict(groups)
    for file in sorted(folder.glob("*.json")):
        if file.stat().st_mtime > kept_at:
            figures = read_figures(file.read_bytes())
            taken_on = datetime.fromtimestamp(file.stat().st_mtime, UTC).date().isoformat()
            load = round(os.getloadavg()[2], 1)
            found[file.stem] = Group(taken_on, platform.python_version(), os.cpu_count() or 1, load, figures)
    return found


def read_figures(data: bytes) -> list[Figure]:
    """A benchmark's figures from its JSON: `publish`'s, or the medians of pytest-benchmark's."""
    try:
        return msgspec.json.decode(data, type=list[Figure])
    except msgspec.ValidationError:
        return [
            Figure(
                name=part.name.removeprefix("test_").replace("_", " "),
                size="20,000 entities",
                value=part.stats.median * 1000,
                unit="ms",
            )
            for part in msgspec.json.decode(data, type=_Parts).benchmarks
        ]


def render(template: str, groups: Mapping[str, Group]) -> str:
    """The README. Raises KeyError when the template names a benchmark without figures."""
    return _DIRECTIVE.sub(lambda match: _table(match[1], groups), template)


def _table(directive: str, groups: Mapping[str, Group]) -> str:
    name, *options = (part.strip() for part in directive.split("|"))
    wanted = {key.strip(): value.strip() for key, _, value in (option.partition(":") for option in options)}
    group = groups[name]
    figures = [figure for figure in group.figures if _is_wanted(figure, wanted)]
    assert figures, f"{directive} leaves nothing"
    lines = _by_size(figures, group.figures) if wanted.get("as") == "sizes" else _listed(figures)
    return "\n".join([*lines, "", _caption(group, figures)])


def _is_wanted(figure: Figure, wanted: Mapping[str, str]) -> bool:
    names = [name.strip() for name in wanted.get("name", "").split(";")]
    units = [unit.strip() for unit in wanted.get("unit", figure.unit).split(";")]
    is_growth = figure.name.startswith(_GROWTH)
    return (
        any(figure.name.startswith(name) for name in names)
        and figure.unit in units
        and figure.size == wanted.get("size", figure.size)
        and not (is_growth and wanted.get("as") == "sizes")
    )


def _listed(figures: Sequence[Figure]) -> list[str]:
    has_sizes = len({figure.size for figure in figures}) > 1
    lines = ["| what | input | figure | budget | |", "| --- | --- | ---: | ---: | --- |"]
    if not has_sizes:
        size = figures[0].size or "what"
        lines = [f"| {size} | figure | budget | |", "| --- | ---: | ---: | --- |"]
    for figure in figures:
        cells = [figure.name, figure.size] if has_sizes else [figure.name]
        cells += [f"{number_text(figure.value)} {figure.unit}", *_judged(figure)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _by_size(figures: Sequence[Figure], everything: Sequence[Figure]) -> list[str]:
    sizes = list(dict.fromkeys(figure.size for figure in figures))
    growth = {f.name.removeprefix(_GROWTH): f for f in everything if f.name.startswith(_GROWTH)}
    head = [f"{figures[0].unit}", *sizes, *(["growth"] if growth else [])]
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    for name in dict.fromkeys(figure.name for figure in figures):
        values = {figure.size: number_text(figure.value) for figure in figures if figure.name == name}
        cells = [name, *(values.get(size, "") for size in sizes)]
        if growth:
            grown = growth.get(name)
            verdict = f", {_verdict(grown)}" if grown and grown.verdict else ""
            cells.append(f"{number_text(grown.value)} {grown.unit}{verdict}" if grown else "")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _judged(figure: Figure) -> tuple[str, str]:
    sign = "≥" if figure.at_least else "≤"
    budget = "" if figure.budget is None else f"{sign} {number_text(figure.budget)} {figure.unit}"
    return budget, " ".join(part for part in (_verdict(figure), figure.note) if part)


def _verdict(figure: Figure) -> str:
    return "**missed**" if figure.verdict == "MISSED" else figure.verdict


def _caption(group: Group, figures: Sequence[Figure]) -> str:
    runs = min(figure.runs for figure in figures)
    worst = f"the worst of {runs} runs, " if runs > 1 else ""
    load = "" if group.load is None else f", a load of {group.load:g}"
    return f"*{group.taken_on}: {worst}CPython {group.python}, {group.cores} cores{load}.*"


def main(argv: Sequence[str]) -> None:
    """Take over new measurements, except with `write`; then write the README."""
    groups = read_groups()
    if argv != ["write"]:
        groups = take_over(groups, RESULTS)
        FIGURES.write_bytes(msgspec.json.format(msgspec.json.encode(dict(sorted(groups.items())))) + b"\n")
    README.write_text(render(TEMPLATE.read_text(encoding="utf-8"), groups), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
