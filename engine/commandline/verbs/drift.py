"""`reconcile drift`: compare and explain, write nothing."""

import os
import time

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import load
from engine.commandline.exit_codes import drift_code
from engine.commandline.interruption import Interruption
from engine.commandline.output import emit_json, emit_text, print_message
from engine.commandline.text.colour import choose_paint
from engine.commandline.text.drift import DriftText, render_drift
from engine.commandline.text.plan import refusal_lines
from engine.commandline.verbs.run_pass import make_report, report_errors
from engine.composition.run import pass_options
from engine.core.times import encode_document
from engine.core.words import Mode


def run_drift(arguments: Arguments, stop: Interruption) -> int:
    """Compare and print the report. Returns the exit code."""
    loaded = load(arguments)
    options = pass_options(loaded.settings, Mode.DRIFT, time.time())
    report = make_report(arguments, loaded, options, stop)
    if arguments.format == "json":
        emit_json(encode_document(report))
    elif not arguments.quiet:
        paint = choose_paint(arguments.color, os.environ)
        emit_text(
            render_drift(report, DriftText(paint, is_full=arguments.full, with_hashes=arguments.verbose))
        )
    else:
        for line in refusal_lines(report, choose_paint(arguments.color, os.environ)):
            print_message(line)
    report_errors(report)
    return drift_code(report, detailed=arguments.detailed_exitcode)
