"""Verdicts are made once, as long as nothing that they rest on changes."""

from api.verdict_cache import VerdictCache
from engine.core.state.report import Report
from tests.api.serving import FRESHNESS, status_of
from tests.commandline.reports import foreign, report
from tests.homes import NOON


def asked(verdict_cache: VerdictCache, reported: Report, now: float = NOON) -> object:
    return verdict_cache.verdicts(status_of(reported), now, FRESHNESS)


def test_the_same_knowledge_is_the_same_object() -> None:
    verdict_cache = VerdictCache()
    first = asked(verdict_cache, report())
    assert asked(verdict_cache, report(), NOON + 10) is first
    assert verdict_cache.generation == 1


def test_a_difference_or_age_makes_another_generation() -> None:
    verdict_cache = VerdictCache()
    first = asked(verdict_cache, report())
    assert asked(verdict_cache, report(foreign("Sun"))) is not first
    assert asked(verdict_cache, report(foreign("Sun")), NOON + 10_000) is not first
    assert verdict_cache.generation == 3
