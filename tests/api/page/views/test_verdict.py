"""A verdict as the page shows it."""

from api.page.views.verdict import FIELDS_MAX, Badges, verdict_view
from engine.core.compare.diff import Cause
from engine.core.records.record import Key
from engine.core.state.record_states import LABELS
from engine.core.state.record_verdict import Verdicts
from tests.api.serving import FRESHNESS, status_of
from tests.commandline.reports import changed, foreign, report
from tests.homes import NOON

FIELDS = tuple((f"field_{n}", n, n + 1) for n in range(FIELDS_MAX + 2))


def test_a_badge_is_a_word_with_the_colour_of_a_status() -> None:
    reported = report(foreign("Sun", key="mock"), foreign("Sun", registry="entity", key="sun.mock"))
    badges = Badges(Verdicts(status_of(reported), NOON, FRESHNESS))
    assert (badges.of("device", "mock").label, badges.of("device", "mock").tone) == ("Foreign", "out_of_sync")
    assert badges.of("entity", "", "sun.mock").label == "Foreign"
    assert (badges.of("device", "d1").label, badges.of("device", "d1").tone) == ("Real", "in_sync")


def test_many_fields_are_cut_and_counted() -> None:
    reported = report(changed("Lamp", *FIELDS, cause=Cause.DRIFT))
    shown = verdict_view(Verdicts(status_of(reported), NOON, FRESHNESS).of(Key("device", "lamp")), None, {})
    assert (len(shown.fields), shown.left) == (FIELDS_MAX, 2)
    replica, field = shown.fields[0]
    assert (replica, field.label, field.was, field.is_) == ("SQLite", "field 0", "0", "1")
    assert shown.help == "help#drifted"


def test_every_state_has_a_tone() -> None:
    reported = Verdicts(status_of(report()), NOON, FRESHNESS)
    assert Badges(reported).of("device", "x").label in LABELS.values()
