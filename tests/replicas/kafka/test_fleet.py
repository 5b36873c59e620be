"""What is wrong with a fleet's topics."""

from engine.replicas.kafka.fleet import problems_of
from engine.replicas.kafka.topics import TopicNames, TopicState, settings_of

NAMES = TopicNames("homes")


def state(topic: str, partitions: int = 4) -> TopicState:
    return TopicState(partitions, 3, 3, settings_of(NAMES, topic, 3))


def test_topics_that_are_well_have_no_problem() -> None:
    assert problems_of(NAMES, {topic: state(topic) for topic in NAMES.fleet}, 4) == ()


def test_every_problem_of_the_topics_is_named() -> None:
    found = {topic: state(topic) for topic in NAMES.fleet[1:]}
    found["homes.sites"] = state("homes.sites", partitions=5)
    found["homes.entity"] = TopicState(4, 3, 1, settings_of(NAMES, "homes.entity", 3))
    missing, short, partitions = problems_of(NAMES, found, 4)
    assert missing == f"Topic {NAMES.fleet[0]} does not exist."
    assert "homes.entity has 1 of the 2 up-to-date replicas" in short
    assert "homes.sites has 5 partitions, but the settings ask for 4" in partitions
