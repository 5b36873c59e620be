"""What a pass could not compare, as text: rows of Home Assistant that it set aside, and sources that are not this home."""

from engine.commandline.text.colour import Paint
from engine.commandline.text.record_lines import capped, listing, plural
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


def compared_text(report: Report) -> str:
    """The number of records of the source, and of which registries if not all were compared."""
    only = report.source.only
    return plural(report.source.records, "record") + (f" of {listing(list(only))}" if only else "")


def refused_text(report: Report) -> str:
    """What to say where the source is not this home; empty if it is."""
    guards = dict.fromkeys(str(r.not_this_home) for r in report.replicas if r.not_this_home)
    return f"Refused by {listing(list(guards))}, so nothing that was compared counts" if guards else ""


def _kept_lines(report: Report) -> list[str]:
    return [f"  {kept_text(r)} because of that" for r in report.replicas if r.counts.kept]


def kept_text(replica: ReplicaReport) -> str:
    """The number of rows of a replica that were not compared."""
    return f"{plural(replica.counts.kept, 'row')} not compared in {replica.replica}"
