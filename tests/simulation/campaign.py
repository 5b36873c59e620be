"""Many histories; a failing one is shortened and reported with the command that replays it."""

from collections.abc import Iterable
from pathlib import Path

from tests.simulation.history import Outcome, play

ROOT = Path(__file__).parents[2]


def failures(seeds: Iterable[int], most: int = 3) -> list[Outcome]:
    """The histories of the seeds that violate something, made short; gives up after `most` of them."""
    found: list[Outcome] = []
    for seed in seeds:
        if play(seed).violations:
            found.append(shrink(seed))
            if len(found) >= most:
                break
    return found


def shrink(seed: int) -> Outcome:
    """The history with as few of its steps as still violate something."""
    best = play(seed)
    for index in reversed(best.steps):
        shorter = play(seed, frozenset(best.steps) - {index})
        if shorter.violations:
            best = shorter
    return best


def describe(outcome: Outcome) -> str:
    """A history for a person: what happened, what was wrong, how to see it again."""
    only = ",".join(map(str, outcome.steps)) or "none"
    more = " --with-misfortunes" * outcome.with_misfortunes
    return "\n".join(
        [
            f"Seed {outcome.seed}: {len(outcome.violations)} violations, the first:",
            *(f"  {violation}" for violation in outcome.violations[:5]),
            "What happened:",
            *(f"  {line}" for line in outcome.lines),
            f"Again: python -m tests.simulation {outcome.seed} --only {only}{more}",
        ]
    )
