"""`bench/README.md` is rendered from its template and the kept figures, and figures are the worst of their runs."""

import os
from pathlib import Path

import msgspec
import pytest

from bench import figures, instructions
from bench.figures import Figure, worst, worst_median
from bench.readme import FIGURES, README, TEMPLATE, Group, read_figures, read_groups, render, take_over

FAST = Figure(name="a pass", size="1,300 entities", value=1.25, unit="ms", budget=2.0)
SLOW = Figure(name="a pass", size="20,000 entities", value=2500.0, unit="ms", budget=2.0, runs=3, note="cold")
RATE = Figure(name="rate", size="20,000 entities", value=7.0, unit="x", budget=5.0, at_least=True)


def group(*figures: Figure) -> Group:
    return Group("2026-11-29", "3.11.7", 2, 0.5, list(figures))


def test_the_readme_is_rendered_from_its_template_and_the_kept_figures() -> None:
    """`python -m bench.readme write` writes it."""
    assert README.read_text(encoding="utf-8") == render(TEMPLATE.read_text(encoding="utf-8"), read_groups())


def test_the_kept_ceilings_are_those_that_are_held() -> None:
    kept = {figure.name: figure.budget for figure in read_groups()["instructions"].figures}
    assert kept == instructions.CEILINGS


def test_a_table_describes_its_measurement_and_date() -> None:
    assert render("before\n{{ g }}\nafter\n", {"g": group(FAST, SLOW, RATE)}) == (
        "before\n"
        "| what | input | figure | budget | |\n"
        "| --- | --- | ---: | ---: | --- |\n"
        "| a pass | 1,300 entities | 1.25 ms | ≤ 2 ms | met |\n"
        "| a pass | 20,000 entities | 2,500 ms | ≤ 2 ms | **missed** cold |\n"
        "| rate | 20,000 entities | 7 x | ≥ 5 x | met |\n"
        "\n"
        "*2026-11-29: CPython 3.11.7, 2 cores, a load of 0.5.*\n"
        "after\n"
    )


def test_a_table_can_be_narrowed_and_laid_out_by_size() -> None:
    grown = Figure(name="growth, a pass", size="1,300 to 20,000", value=1.5, unit="x linear", budget=1.2)
    groups = {"g": group(FAST, SLOW, RATE, grown)}
    assert render("{{ g | unit: ms | as: sizes }}", groups).splitlines()[:3] == [
        "| ms | 1,300 entities | 20,000 entities | growth |",
        "| --- | ---: | ---: | ---: |",
        "| a pass | 1.25 | 2,500 | 1.5 x linear, **missed** |",
    ]
    narrowed = render("{{ g | size: 20,000 entities | name: a pass }}", groups).splitlines()
    assert narrowed[2:] == ["| a pass | 2,500 ms | ≤ 2 ms | **missed** cold |", "", narrowed[-1]]
    assert "the worst of 3 runs" in narrowed[-1]
    with pytest.raises(KeyError):
        render("{{ never measured }}", groups)


def test_newer_measurements_replace_the_kept_figures(tmp_path: Path) -> None:
    kept_at = FIGURES.stat().st_mtime
    for name, age in (("new", -1), ("old", 1)):
        (tmp_path / f"{name}.json").write_bytes(msgspec.json.encode([FAST]))
        os.utime(tmp_path / f"{name}.json", (kept_at - age, kept_at - age))
    found = take_over({"old": group(SLOW), "other": group(RATE)}, tmp_path)
    assert {name: taken.figures for name, taken in found.items()} == {
        "new": [FAST],
        "old": [SLOW],
        "other": [RATE],
    }


def test_the_median_of_each_part_that_pytest_benchmark_timed_is_a_figure() -> None:
    data = b'{"benchmarks": [{"name": "test_diff_of_one_percent", "stats": {"min": 0.01, "median": 0.0125}}]}'
    (part,) = read_figures(data)
    assert (part.name, part.value, part.unit) == ("diff of one percent", 12.5, "ms")


def test_the_worst_of_several_runs_counts() -> None:
    first = {(f.name, f.size, f.unit): f for f in (FAST, RATE)}
    second = [msgspec.structs.replace(FAST, value=1.0), msgspec.structs.replace(RATE, value=8.0), SLOW]
    assert [(f.value, f.runs) for f in worst(first, second)] == [(1.25, 2), (7.0, 2), (2500.0, 3)]


def test_a_further_run_is_added_to_the_kept_figures_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    for run, value in (("1", 2.0), ("2", 3.0), ("3", 1.0)):
        monkeypatch.setenv("BENCH_RUN", run)
        figures.publish("g", [msgspec.structs.replace(FAST, value=value)])
    (kept,) = figures.load(tmp_path / "g.json").values()
    assert (kept.value, kept.runs) == (3.0, 3)


def test_the_rounds_of_one_run_count_as_three() -> None:
    assert worst_median([1, 1, 9, 2, 2, 2, 3, 3, 3]) == 3
    assert worst_median([3, 1, 2], at_least=True) == 1
    assert worst_median([5]) == 5
