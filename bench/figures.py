"""Measured figures: taken in interleaved rounds, printed beside their budget, kept as JSON, compared.

    python -m bench.figures BEFORE.json AFTER.json     # what another commit changed

A figure is the worst of three runs, each the median of its rounds. A ratio is of one measurement divided by another of the same
round, because what else runs on a machine moves both.
"""

import gc
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec

RESULTS = Path(__file__).parents[1] / "var" / "bench"
RUNS = 3

# One measurement: seconds of what it times, without its own preparation.
Case = Callable[[], Awaitable[float]]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure; `budget` is the largest value that is good enough, or the smallest if `at_least`."""

    name: str
    size: str  # what the input was
    value: float
    unit: str
    budget: float | None = None
    at_least: bool = False
    note: str = ""
    runs: int = 1  # this is the worst of so many

    @property
    def verdict(self) -> str:
        """Whether the budget is met; empty without one."""
        if self.budget is None:
            return ""
        is_met = self.value >= self.budget if self.at_least else self.value <= self.budget
        return "met" if is_met else "MISSED"


async def take_rounds(cases: Mapping[str, Case], rounds: int) -> dict[str, list[float]]:
    """Seconds of every case in every round; the first round warms up and is thrown away."""
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            gc.collect()
            seconds = await case()
            if number:
                taken[name].append(seconds)
    return taken


def ratio(taken: Mapping[str, Sequence[float]], name: str, to: str) -> float:
    """How many times as long a case took as another, in the same rounds; the worst of three."""
    return worst_median([a / b for a, b in zip(taken[name], taken[to], strict=True)])


def worst_median(values: Sequence[float], *, at_least: bool = False) -> float:
    """Of the medians of three runs, which are the thirds of all rounds, the largest; `at_least`: the smallest."""
    step = max(1, -(-len(values) // RUNS))
    medians = [median(values[start : start + step]) for start in range(0, len(values), step)]
    return min(medians) if at_least else max(medians)


def publish(name: str, figures: Sequence[Figure]) -> None:
    """Print the figures as a Markdown table, and keep them below `var/bench`: in a second and third run the worst of all."""
    print(f"\n### {name}\n\n| what | input | figure | budget | |\n| --- | --- | ---: | ---: | --- |")
    for f in figures:
        budget = (
            "" if f.budget is None else f"{'>=' if f.at_least else '<='} {number_text(f.budget)} {f.unit}"
        )
        outcome = " ".join(part for part in (f.verdict, f.note) if part)
        print(f"| {f.name} | {f.size} | {number_text(f.value)} {f.unit} | {budget} | {outcome} |")
    sys.stdout.flush()
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{name}.json"
    is_first = os.environ.get("BENCH_RUN", "1") == "1"
    kept = figures if is_first else worst(load(file), figures)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(kept)))


def worst(before: "Kept", figures: Sequence[Figure]) -> list[Figure]:
    """The worse of each figure and what earlier runs had; of a ratio, too, which is of one run."""
    found = []
    for figure in figures:
        old = before.get((figure.name, figure.size, figure.unit))
        if old is not None:
            is_worse = figure.value <= old.value if figure.at_least else figure.value >= old.value
            figure = msgspec.structs.replace(figure if is_worse else old, runs=old.runs + 1)  # noqa: PLW2901
        found.append(figure)
    return found


Kept = dict[tuple[str, str, str], Figure]


def load(path: Path) -> Kept:
    """Kept figures by name, input and unit."""
    figures = msgspec.json.decode(path.read_bytes(), type=list[Figure])
    return {(f.name, f.size, f.unit): f for f in figures}


def main() -> None:
    """Print every figure of two runs, and how far they are apart."""
    before, after = (load(Path(path)) for path in sys.argv[1:3])
    for key in sorted(before.keys() & after.keys()):
        old, new = before[key].value, after[key].value
        change = f"{new / old - 1:+.0%}" if old else ""
        print(f"{key[0]}, {key[1]}: {number_text(old)} -> {number_text(new)} {key[2]} {change}")


def number_text(value: float) -> str:
    """As many digits as a reader wants."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
