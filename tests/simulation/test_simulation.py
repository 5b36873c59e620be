"""The whole engine against a hostile Home Assistant and hostile stores: nothing is lost, nothing false is said.

Every history plays by a seed: see `faults` for what can happen, `oracle` and `served` for what must hold. A
history that fails prints itself, made short, with the command that plays it again; keep its seed in
`tests/data/simulation_seeds.txt`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples import first_quick
from tests.simulation.campaign import ROOT, describe, failures, shrink
from tests.simulation.faults import ALL_STEPS
from tests.simulation.history import play
from tests.simulation.mutants import mutated

# `.ci/run` asks for many more.
HISTORIES = int(os.environ.get("RECONCILE_TEST_HISTORIES", "100"))
PARTS = 8  # for several workers, or a run of a part
HISTORIES_WITH_MISFORTUNES = int(os.environ.get("RECONCILE_TEST_HISTORIES_WITH_MISFORTUNES", "8"))
_KEPT = Path(__file__).parents[1] / "data" / "simulation_seeds.txt"


def kept_seeds() -> list[int]:
    lines = _KEPT.read_text(encoding="utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_lost_and_no_status_is_false(part: int) -> None:
    failed = failures(range(part, HISTORIES, PARTS))
    assert not failed, "\n".join(describe(outcome) for outcome in failed)


@pytest.mark.parametrize("seed", first_quick(kept_seeds(), 7))
def test_seeds_that_once_failed_pass(seed: int) -> None:
    outcome = play(seed)
    assert not outcome.violations, describe(outcome)


@pytest.mark.slow
def test_changes_by_others_are_repaired_and_no_status_is_false_meanwhile() -> None:
    outcomes = [play(seed, with_misfortunes=True) for seed in range(HISTORIES_WITH_MISFORTUNES)]
    failed = "\n".join(describe(outcome) for outcome in outcomes if outcome.violations)
    assert not failed, failed
    lines = [line for outcome in outcomes for line in outcome.lines]
    assert all(
        any(f"the rows file {reported}" in line for line in lines) for reported in ("is ", "lost its log")
    )


@pytest.mark.slow
def test_the_histories_are_hostile() -> None:
    outcomes = [play(seed) for seed in range(60)]
    played = {name for name in ALL_STEPS if any(f": {name}" in line for o in outcomes for line in o.lines)}
    assert played == set(ALL_STEPS)
    assert sum(o.writes for o in outcomes) > 200
    assert sum(o.claims for o in outcomes) > 5000


@pytest.mark.process
def test_a_seed_is_a_history() -> None:
    seed = 17
    once, again = play(seed), play(seed)
    assert once == again
    # Sets are ordered otherwise in every process; that must not matter.
    for hash_seed in ("1", "2"):
        reported = subprocess.run(
            [sys.executable, "-m", "tests.simulation", str(seed)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert reported.stdout.splitlines()[:-1] == list(once.lines)


@pytest.mark.slow
def test_a_failing_history_is_shrunk_and_reported_with_the_command_to_repeat_it() -> None:
    with mutated("a key that changed is forgotten"):
        seed = next(seed for seed in range(100) if play(seed).violations)
        whole, short = play(seed), shrink(seed)
    assert short.violations
    assert len(short.steps) < len(whole.steps)
    assert f"python -m tests.simulation {seed} --only " in describe(short)
