"""The status that one pass leaves behind, at `now` (Unix seconds)."""

from engine.commandline.pass_status import status_of
from engine.core.state.intervals import AGELESS
from engine.core.state.status import status_word
from tests.commandline.reports import replica, report


def test_the_status_word_equals_the_reports() -> None:
    for word in ("in_sync", "out_of_sync", "blocked", "unknown"):
        reported = report(replicas=(replica(status=word),), status=word)
        assert status_word(status_of(reported, 1e9), 2e9, AGELESS) == word
