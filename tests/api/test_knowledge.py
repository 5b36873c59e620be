"""Verdicts are made once, as long as nothing that they rest on changes."""

from api.knowledge import Knowledge
from engine.core.state.report import Report
from tests.api.serving import FRESHNESS, status_of
from tests.commandline.reports import foreign, report
from tests.homes import NOON


def asked(knowledge: Knowledge, told: Report, now: float = NOON) -> object:
    return knowledge.verdicts(status_of(told), now, FRESHNESS)


def test_the_same_knowledge_is_the_same_object() -> None:
    knowledge = Knowledge()
    first = asked(knowledge, report())
    assert asked(knowledge, report(), NOON + 10) is first
    assert knowledge.generation == 1


def test_a_difference_or_age_makes_another_generation() -> None:
    knowledge = Knowledge()
    first = asked(knowledge, report())
    assert asked(knowledge, report(foreign("Sun"))) is not first
    assert asked(knowledge, report(foreign("Sun")), NOON + 10_000) is not first
    assert knowledge.generation == 3
