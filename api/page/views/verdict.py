"""A record's verdict on the page: a badge in lists, and in full on the record's page."""

import msgspec

from api.page.templates import link
from api.page.views.drift import FieldView
from api.page.wording import Names, field_text, replica_text, value_text
from api.registries.bodies.sync import served_differs
from engine.core.records.record import Key
from engine.core.state.record_states import LABELS, State
from engine.core.state.record_verdict import RecordVerdict, Verdicts
from engine.core.words import SyncStatus

FIELDS_MAX = 24
# Each with the colours of a status.
_TONES = {
    State.REAL: SyncStatus.IN_SYNC,
    State.FOREIGN: SyncStatus.OUT_OF_SYNC,
    State.DRIFTED: SyncStatus.OUT_OF_SYNC,
    State.MISSING: SyncStatus.OUT_OF_SYNC,
    State.GONE: SyncStatus.BLOCKED,
    State.PENDING: SyncStatus.BLOCKED,
    State.SET_ASIDE: SyncStatus.BLOCKED,
    State.UNKNOWN: SyncStatus.UNKNOWN,
}


class Badge(msgspec.Struct, frozen=True):
    """The verdict as a word; `tone` is the status whose colour and symbol it uses."""

    label: str
    tone: str
    title: str


class VerdictView(msgspec.Struct, frozen=True):
    """The whole verdict. `fields` are the differences, under the replica that differs."""

    badge: Badge
    since: str | None
    reasons: list[str]
    fields: list[tuple[str, FieldView]]
    left: int  # the number of fields not shown
    next: str
    command: str | None
    help: str


class Badges:
    """The badges for lists, record by record."""

    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts

    def of(self, registry: str, id_: str, entity_id: str | None = None) -> Badge:
        """The badge of a record that has a row; a row without a registry id is identified by its entity_id."""
        return badge(self._verdicts.of(Key(registry, id_ or entity_id or ""), entity_id=entity_id))


def badge(verdict: RecordVerdict) -> Badge:
    """A verdict as a word."""
    return Badge(LABELS[verdict.state], _TONES[verdict.state], " ".join(verdict.reasons)[:300])


def verdict_view(verdict: RecordVerdict, since: str | None, names: Names) -> VerdictView:
    """A verdict in full; `since` as RFC 3339."""
    differs = served_differs(verdict)
    fields = [
        (
            replica_text(each.replica),
            FieldView(
                field_text(each.name),
                value_text(each.name, each.source, names),
                value_text(each.name, each.found, names),
                True,
            ),
        )
        for each in differs[:FIELDS_MAX]
    ]
    return VerdictView(
        badge(verdict),
        since,
        list(verdict.reasons),
        fields,
        len(differs) - len(fields),
        verdict.next,
        verdict.command,
        link("help", str(verdict.state)),
    )
