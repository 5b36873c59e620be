"""The checks of `reconcile doctor` on the data read from Home Assistant."""

from collections.abc import Iterator

from engine.commandline.text.record_lines import plural
from engine.commandline.verbs.doctor.check import Check
from engine.core.home.snapshot import Snapshot

_SKEW_SECONDS_MAX = 5.0
_ROWS_SHOWN = 5


def check_rows_of_source(snapshot: Snapshot) -> Check:
    """The rows whose record cannot be identified."""
    rows = snapshot.home.set_aside
    summary = "; ".join(f"{row.known_as}: {row.reason}" for row in rows[:_ROWS_SHOWN])
    more = f"; and {len(rows) - _ROWS_SHOWN} more (`reconcile drift`)" if len(rows) > _ROWS_SHOWN else ""
    return Check(
        "source rows",
        "warn",
        f"{plural(len(rows), 'row')} cannot be used: {summary}{more}",
        "Everything else is mirrored. Remove or repair them in Home Assistant; until then their rows in a replica stay.",
    )


def check_unread(snapshot: Snapshot) -> Iterator[Check]:
    """The registries that were not read, and why."""
    if reasons := snapshot.reading.unread.registries:
        summary = "; ".join(reasons[registry] for registry in sorted(reasons))
        yield Check(
            "registries",
            "ok",
            f"not read: {summary}",
            "That is normal if Home Assistant never had any. Their records in a replica are neither compared nor deleted.",
        )


def check_state(snapshot: Snapshot) -> Check:
    """Whether Home Assistant's state allows trusting that missing records are gone."""
    health = snapshot.reading.health
    if health.corrupt_stores:
        stores = ", ".join(health.corrupt_stores)
        return Check(
            "state", "fail", f"Home Assistant reports corrupt stores: {stores}", "Restore a backup there."
        )
    if health.unread:
        summary = "; ".join(health.unread)
        return Check(
            "state", "warn", f"not all of it could be read: {summary}", "Nothing is deleted until it can."
        )
    if health.recovery_mode:
        return Check(
            "state",
            "fail",
            "Home Assistant is in recovery mode",
            "Repair it first; until then nothing is written.",
        )
    if health.state not in (None, "RUNNING"):
        return Check(
            "state", "warn", f"Home Assistant is {health.state}", "Nothing is deleted until it is RUNNING."
        )
    if health.state is None:
        return Check("state", "ok", "unknown to this form of source")
    return Check(
        "state", "ok", "RUNNING" + ("" if health.recovery_mode is None else ", not in recovery mode")
    )


def check_clock(snapshot: Snapshot, now: float) -> Check:
    """Whether Home Assistant dated a backup, or a change, later than `now` (Unix seconds): no answer contains its current time."""
    if snapshot.reading.note:
        return Check(
            "clock",
            "warn",
            snapshot.reading.note.rstrip("."),
            "Set both clocks by NTP, and make another backup.",
        )
    newest = max((r.modified_at or 0.0 for r in snapshot.home.records.values()), default=0.0)
    ahead = newest - now
    if ahead > _SKEW_SECONDS_MAX:
        return Check(
            "clock",
            "warn",
            f"Home Assistant's clock is at least {ahead:.0f} s ahead of this one",
            "Set both clocks by NTP; times in reports are of this clock.",
        )
    return Check("clock", "ok", "no change in Home Assistant is dated later than this machine's clock")
