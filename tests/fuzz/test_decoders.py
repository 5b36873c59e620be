"""Any input raises documented errors only; past failures are kept in `crashes/`."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.availability import IS_LONG
from tests.examples import unless_fast
from tests.fuzz.decoders import DECODERS
from tests.fuzz.mutations import mutated
from tests.fuzz.seeds import SEEDS

CRASHES = sorted((Path(__file__).parent / "crashes").glob("*/*"))
EXAMPLES = 120 if IS_LONG else 24
# Stores are opened and mirrored into by every example.
SLOW = {
    "pass_cache",
    "rows_file",
    "history_file",
    "outbox_file",
    "capture_folder",
    "backup_file",
    "backup_inner",
}


def test_every_decoder_has_seeds_and_accepts_them() -> None:
    assert DECODERS.keys() == SEEDS.keys()
    for name, decode in DECODERS.items():
        assert SEEDS[name](), name
        for seed in SEEDS[name]():
            decode(seed)


@pytest.mark.parametrize("path", CRASHES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_once_escaped_does_no_more(path: Path) -> None:
    DECODERS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("name", DECODERS)
def test_only_documented_errors_come_out(name: str) -> None:
    decode = DECODERS[name]

    @settings(
        max_examples=unless_fast(EXAMPLES // 4 if name in SLOW else EXAMPLES, fast=3),
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated(SEEDS[name]()))
    def attack(data: bytes) -> None:
        decode(data)

    attack()


@settings(max_examples=unless_fast(EXAMPLES, fast=8), derandomize=True, database=None, deadline=None)
@given(st.sampled_from(sorted(DECODERS.keys() - SLOW)), st.binary(max_size=200))
def test_not_even_for_noise(name: str, data: bytes) -> None:
    DECODERS[name](data)
