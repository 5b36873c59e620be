"""What a comparison made for one record says of others of its name."""

from engine.commandline.lookup import Ambiguous
from engine.commandline.verbs.compared import distinguished
from engine.core.compare.stored import StoredRow
from engine.core.records.record import Key
from engine.core.state.intervals import AGELESS
from engine.core.state.record_verdict import Verdicts
from tests.api.serving import status_of
from tests.commandline.reports import foreign, report
from tests.homes import NOON


def test_candidates_are_distinguished_by_their_verdicts() -> None:
    keys = [Key("device", "d1"), Key("device", "mock")]
    rows = {key: StoredRow(key, {"name": "Sun"}, {}, {}) for key in keys}
    verdicts = Verdicts(status_of(report(foreign("Sun", key="mock"))), NOON, AGELESS)
    reported = distinguished(Ambiguous("sun", keys, rows), verdicts)
    assert reported.hint == "Choose one: device/mock (Sun, foreign), device/d1 (Sun, real)."
