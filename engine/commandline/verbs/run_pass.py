"""`reconcile`: one pass, or with --dry-run its plan."""

import os
import sys
import time
from functools import partial
from pathlib import Path

import msgspec

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import load
from engine.commandline.exit_codes import pass_code
from engine.commandline.interruption import Interruption
from engine.commandline.output import emit_json, emit_text, print_error, print_message
from engine.commandline.saved_plan import read_fingerprints, write_plan
from engine.commandline.text.colour import choose_paint
from engine.commandline.text.plan import PlanText, refusal_lines, render_plan
from engine.commandline.text.progress import ProgressLine
from engine.composition.run import pass_options, reconcile_once
from engine.composition.sources import needs_event_loop
from engine.core.state.report import Report
from engine.core.times import encode_document
from engine.core.words import Mode
from engine.loop.passes.options import PassOptions
from engine.settings.sections import LoadedSettings


def run_pass(arguments: Arguments, stop: Interruption) -> int:
    """Run the pass and print its report. Returns the exit code."""
    loaded = load(arguments)
    mode = Mode.DRY_RUN if arguments.dry_run or arguments.plan_out else Mode.APPLY
    if mode == Mode.APPLY and loaded.settings.plan.mode == "observe":
        mode = Mode.OBSERVE
    site = loaded.settings.site.name
    options = msgspec.structs.replace(
        pass_options(loaded.settings, mode, time.time()),
        confirm_deletes=arguments.confirm_deletes,
        expected=read_fingerprints(Path(arguments.plan), site) if arguments.plan else None,
    )
    report = make_report(arguments, loaded, options, stop)
    if arguments.plan_out and not report.errors:
        write_plan(Path(arguments.plan_out), report)
    _print(arguments, loaded, report)
    if arguments.metrics_file:
        # Imported only here: it loads prometheus-client.
        from engine.commandline.metrics_file import write_metrics

        write_metrics(arguments.metrics_file, report)
    return pass_code(report, detailed=arguments.detailed_exitcode)


def make_report(
    arguments: Arguments, loaded: LoadedSettings, options: PassOptions, stop: Interruption
) -> Report:
    """One pass, with progress on stderr. Raises EngineError, and Stopped after a signal."""
    run = stop.run if needs_event_loop(loaded.settings) else stop.run_alone
    with ProgressLine(sys.stderr, quiet=arguments.quiet, verbose=arguments.verbose) as progress:
        return run(partial(reconcile_once, loaded, options, progress))


def report_errors(report: Report) -> None:
    """Print the errors to stderr."""
    for error in report.errors:
        print_error(error.message, error.hint)


def _allowed(arguments: Arguments) -> str:
    """The options of this run that allow more deletes than the settings."""
    limit, options = arguments.max_delete, list[str]()
    if limit is not None:
        options.append(f"--max-delete {limit}")
    if arguments.allow_empty:
        options.append("--allow-empty")
    return " ".join(options)


def _print(arguments: Arguments, loaded: LoadedSettings, report: Report) -> None:
    paint = choose_paint(arguments.color, os.environ)
    form = PlanText(
        paint=paint,
        is_full=arguments.full,
        confirm_seconds=loaded.settings.plan.delete_confirm_seconds,
        allowed=_allowed(arguments),
    )
    if arguments.format == "json":
        emit_json(encode_document(report))
    elif not arguments.quiet:
        emit_text(render_plan(report, form))
    if arguments.quiet:
        for line in refusal_lines(report, form.paint):
            print_message(line)
    report_errors(report)
    if arguments.plan_out and report.errors:
        print_message(f"No plan was written to {arguments.plan_out}.")
    elif arguments.plan_out and not arguments.quiet:
        print_message(f"The plan is in {arguments.plan_out}; carry it out with --plan {arguments.plan_out}.")
