"""Runs the command, and turns its result or error into an exit code.

Each command's module is imported only when it runs, and so are the libraries it needs.
"""

import signal

from engine.commandline import exit_codes
from engine.commandline.arguments.arguments import COMPACT, Arguments
from engine.commandline.interruption import Interruption, Stopped, interruption
from engine.commandline.output import print_error, print_message
from engine.errors import EngineError, PlanStale
from engine.process.deadline import STOP_SECONDS
from engine.process.shortage import find_shortage


def run_command(arguments: Arguments) -> int:
    """Run the command. Returns the exit code; all messages are printed."""
    try:
        with interruption(STOP_SECONDS) as stop:
            return _run(arguments, stop)
    except Stopped as stopped:  # just before it began, or after it ended
        return stopped.exit_code


def _run(arguments: Arguments, stop: Interruption) -> int:
    if stop.deadline is not None:
        stop.deadline.farewell = _report_cut_off
    try:
        return _dispatch(arguments, stop)
    except PlanStale as error:
        print_error(error.message, error.hint)
        return exit_codes.REFUSED
    except EngineError as error:
        print_error(error.message, error.hint)
        return exit_codes.FAILED
    except Stopped as stopped:
        _report_stopped(stopped.name)
        return stopped.exit_code
    except (MemoryError, OSError, RuntimeError, BaseExceptionGroup) as error:
        # Nothing can continue without it; the next start resumes where this one stopped.
        shortage = find_shortage(error)
        if shortage is None:
            raise
        print_error(*shortage)
        if stop.deadline is not None:
            stop.deadline.begin(exit_codes.FAILED)  # an abandoned thread may keep Python from exiting
        return exit_codes.FAILED


def _report_stopped(name: str) -> None:
    print_message(f"Stopped by {name}. Each replica is as before or after a whole transaction; run again.")


def _report_cut_off(signal_number: int) -> None:
    _report_stopped(f"{signal.Signals(signal_number).name}, while a call did not return")


def _dispatch(arguments: Arguments, stop: Interruption) -> int:
    """Run a command; those that wait for Home Assistant can be interrupted."""
    match arguments.command:
        case None:
            from engine.commandline.verbs.run_pass import run_pass

            return run_pass(arguments, stop)
        case "serve":
            from engine.commandline.verbs.service.serve import run_serve

            return run_serve(arguments, stop)
        case "fleet" if arguments.fleet_command == "view":
            from engine.commandline.verbs.service.fleet_view import run_fleet_view

            return run_fleet_view(arguments, stop)
        case "site":
            from engine.commandline.verbs.service.site import run_site

            return run_site(arguments, stop)
        case "drift":
            from engine.commandline.verbs.drift import run_drift

            return run_drift(arguments, stop)
        case "doctor":
            from engine.commandline.verbs.doctor.doctor import run_doctor

            return run_doctor(arguments, stop)
        case "show":
            from engine.commandline.verbs.show import run_show

            return run_show(arguments, stop)
        case "history" if arguments.key == COMPACT:
            from engine.commandline.verbs.compact import run_compact

            return run_compact(arguments)
        case "history":
            from engine.commandline.verbs.history import run_history

            return run_history(arguments, stop)
        case _:
            return _dispatch_local(arguments)


def _dispatch_local(arguments: Arguments) -> int:
    match arguments.command:
        case "config":
            from engine.commandline.verbs.config_show import run_config_show

            return run_config_show(arguments)
        case "store":
            from engine.commandline.verbs.store import run_store

            return run_store(arguments)
        case "fleet":
            from engine.commandline.verbs.service.fleet import run_fleet

            return run_fleet(arguments)
        case "healthcheck":
            from engine.commandline.verbs.service.healthcheck import run_healthcheck

            return run_healthcheck(arguments)
        case "docs":
            from engine.commandline.verbs.docs import run_docs

            return run_docs(arguments)
        case "completion":
            from engine.commandline.completion import run_completion

            return run_completion(arguments)
        case _:
            from engine.commandline.verbs.version import run_version

            return run_version(arguments)
