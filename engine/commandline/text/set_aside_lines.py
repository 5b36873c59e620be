"""Rows of Home Assistant that a pass set aside, as text: their names and faults."""

from engine.commandline.text.colour import Paint
from engine.commandline.text.record_lines import capped, plural
from engine.commandline.text.safe_text import visible
from engine.core.state.report import ReplicaReport, Report


def set_aside_lines(report: Report, paint: Paint, *, is_full: bool) -> list[str]:
    """One line for each, below a heading."""
    rows = report.set_aside
    if not rows:
        return []
    verb = "cannot be used and is" if len(rows) == 1 else "cannot be used and are"
    head = f"{plural(len(rows), 'row')} of Home Assistant {verb} set aside; what a replica holds under them stays:"
    summary = [[f"  ! {visible(row.known_as, 200)}: {visible(row.reason)}"] for row in rows]
    return [paint("yellow", head), *capped(summary, is_full=is_full), *_kept_lines(report), ""]


def but_for_set_aside(report: Report) -> str:
    """The exception to add to a sentence that claims equality."""
    rows = len(report.set_aside)
    return f", but for {plural(rows, 'row')} that cannot be used" if rows else ""


def _kept_lines(report: Report) -> list[str]:
    return [f"  {kept_text(r)} because of that" for r in report.replicas if r.counts.kept]


def kept_text(replica: ReplicaReport) -> str:
    """The number of rows of a replica that were not compared."""
    return f"{plural(replica.counts.kept, 'row')} not compared in {replica.replica}"
