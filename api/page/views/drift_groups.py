"""The drift page: the differences grouped by verdict and registry, real ones before foreign rows.

Each record counts once, however many replicas differ on it. Reasons, next steps and commands that all records of a
group share are shown once.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from api.http.queries import RegistryName, Text
from api.page.templates import link
from api.page.views.drift import DriftRow, DriftView, drift_view
from api.page.views.verdict import Badge, badge
from api.page.wording import Names, registry_text, registry_text_plural, replica_text
from engine.core.records.record import Key
from engine.core.records.registries import REGISTRIES
from engine.core.state.advice import KINDS
from engine.core.state.record_states import BY_URGENCY, LABELS, State, state_of
from engine.core.state.record_verdict import RecordVerdict, Verdicts
from engine.core.state.report import RecordReport
from engine.core.state.status import Status

PAGE_SIZE = 100
_StateName = Literal["", "drifted", "missing", "gone", "pending", "set_aside", "unknown", "real", "foreign"]

Records = Sequence[RecordReport]


class DriftPageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The filters, the order and the page, counted from 1, of the records that differ."""

    state: _StateName = ""
    registry: Literal[""] | RegistryName = ""
    replica: Text = ""
    q: Text = ""
    sort: Literal["cause", "name", "since"] = "cause"
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1

    @property
    def is_narrowed(self) -> bool:
        """Whether the query selects only some records, or no groups."""
        return bool(
            self.state or self.registry or self.replica or self.q or self.sort != "cause" or self.page > 1
        )


class Choice(msgspec.Struct, frozen=True):
    """One value of a filter, and the number of records with it."""

    value: str
    label: str
    count: int


class DriftGroupView(msgspec.Struct, frozen=True):
    """Records of one verdict and registry; `reasons` and `next` are those that all shown records share."""

    id: str
    badge: Badge
    title: str
    count: int
    meaning: str
    reasons: list[str]
    next: str
    command: str | None
    help: str
    href: str
    table: DriftView
    is_plain: bool  # a list of names suffices: the sides would be the same for each
    is_open: bool


class DriftPage(msgspec.Struct, frozen=True):
    """The page. `total` and `found` count records."""

    total: int
    found: int
    groups: list[DriftGroupView]
    states: list[Choice]
    registries: list[Choice]
    replicas: list[Choice]
    page: int
    pages: int


class _DriftItem(msgspec.Struct, frozen=True):
    """One record that differs."""

    key: Key
    verdict: RecordVerdict
    records: Records

    @property
    def name(self) -> str:
        return self.records[0].name

    @property
    def group(self) -> tuple[State, str]:
        return self.verdict.state, self.key.registry


def drift_page(
    records: Records, status: Status, names: Names, verdicts: Verdicts, query: DriftPageQuery, group_rows: int
) -> DriftPage:
    """The page for a query; without one, the first `group_rows` records of each group."""
    items = [_DriftItem(key, _verdict(verdicts, key, own), own) for key, own in _by_key(records).items()]
    found = sorted((item for item in items if _is_wanted(item, query)), key=_order(query.sort))
    pages = max(1, -(-len(found) // PAGE_SIZE)) if query.is_narrowed else 1
    page = min(query.page, pages)
    shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE] if query.is_narrowed else found
    groups: dict[tuple[State, str], list[_DriftItem]] = {}
    for item in shown:
        groups.setdefault(item.group, []).append(item)
    counts = Counter(item.group for item in found)
    limit = PAGE_SIZE if query.is_narrowed else group_rows
    return DriftPage(
        total=len(items),
        found=len(found),
        groups=[
            _group(own[:limit], counts[group], status, names, is_open=query.is_narrowed or number < 2)
            for number, (group, own) in enumerate(groups.items())
        ],
        states=_choices((str(item.verdict.state) for item in items), {str(s): LABELS[s] for s in BY_URGENCY}),
        registries=_choices((i.key.registry for i in items), {r: registry_text(r) for r in REGISTRIES}),
        replicas=_choices(
            (replica for i in items for replica in {r.replica for r in i.records}),
            {r.replica: replica_text(r.replica) for r in records},
        ),
        page=page,
        pages=pages,
    )


def _by_key(records: Records) -> dict[Key, list[RecordReport]]:
    found: dict[Key, list[RecordReport]] = {}
    for record in records:
        found.setdefault(Key(record.registry, record.key), []).append(record)
    return found


def _verdict(verdicts: Verdicts, key: Key, records: Records) -> RecordVerdict:
    verdict = verdicts.of(key)
    if verdict.state is not State.REAL:
        return verdict
    # A report beside the replicas: old data of another program in the same store.
    own = state_of(records[0])
    reasons = tuple(dict.fromkeys(why for record in records for why in record.why))
    return RecordVerdict(own, records[0].cause, records[0].since, reasons, (), KINDS[own].action, None)


def _is_wanted(item: _DriftItem, query: DriftPageQuery) -> bool:
    words = query.q.casefold().split()
    text = (
        " ".join(f"{r.name}\n{r.key}\n{r.entity_id or ''}" for r in item.records).casefold() if words else ""
    )
    return (
        query.state in ("", item.verdict.state)
        and query.registry in ("", item.key.registry)
        and (not query.replica or any(r.replica == query.replica for r in item.records))
        and all(word in text for word in words)
    )


def _order(sort: str):  # type: ignore[no-untyped-def]  # a key of any comparable kind
    def cause(item: _DriftItem) -> tuple[object, ...]:
        return (
            BY_URGENCY.index(item.verdict.state),
            REGISTRIES.index(item.key.registry),
            item.name.casefold(),
            item.key,
        )

    def name(item: _DriftItem) -> tuple[object, ...]:
        return item.name.casefold(), item.key

    def since(item: _DriftItem) -> tuple[object, ...]:
        return math.inf if item.verdict.since is None else item.verdict.since, item.key

    return {"cause": cause, "name": name, "since": since}[sort]


def _group(
    items: Sequence[_DriftItem], count: int, status: Status, names: Names, *, is_open: bool
) -> DriftGroupView:
    state, registry = items[0].group
    records = [record for item in items for record in item.records]
    common = [r for r in items[0].verdict.reasons if all(r in item.verdict.reasons for item in items)]
    view = drift_view(records, status, names, 1, len(items))
    rows = {row.key: row for row in view.rows}
    # In the page's order, without the facts shown for the whole group.
    ordered = [_without(rows[item.key], common) for item in items]
    nexts = {item.verdict.next for item in items}
    commands = {item.verdict.command for item in items}
    return DriftGroupView(
        id=f"{state}-{registry}",
        badge=badge(items[0].verdict),
        title=f"{LABELS[state]}: {registry_text_plural(registry)}",
        count=count,
        meaning=KINDS[state].meaning,
        reasons=common,
        next=nexts.pop() if len(nexts) == 1 else "",
        command=commands.pop() if len(commands) == 1 else KINDS[state].command,
        help=link("help", str(state)),
        href=link("drift", state=str(state), registry=registry),
        table=msgspec.structs.replace(view, rows=ordered),
        is_plain=state is State.FOREIGN,
        is_open=is_open,
    )


def _without(row: DriftRow, common: Iterable[str]) -> DriftRow:
    shared = set(common)
    return msgspec.structs.replace(row, reasons=[reason for reason in row.reasons if reason not in shared])


def _choices(values: Iterable[str], labels: Mapping[str, str]) -> list[Choice]:
    counts = Counter(values)
    return [Choice(value, label, counts[value]) for value, label in labels.items() if counts[value]]
