"""The simulation can fail: an engine that is wrong in any of these ways is caught."""

import pytest

from tests.simulation.history import play
from tests.simulation.mutants import MUTANTS, mutated

# Histories within which each is caught with any seeds; the known seed only makes the test fast.
_HISTORIES_MAX = 1000


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_an_engine_that_is_wrong_is_caught(name: str) -> None:
    _, known = MUTANTS[name]
    with mutated(name):
        assert any(play(seed).violations for seed in (known, *range(_HISTORIES_MAX))), "nothing was noticed"
