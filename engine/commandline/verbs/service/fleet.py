"""`reconcile fleet`: the processes that share homes through Kafka, and their topics. It talks to no service."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from time import time

import msgspec

from api.page.wording import age_text, count_text
from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import working_folder
from engine.commandline.arguments.options import TOPICS_COMMANDS
from engine.commandline.arguments.parser import refuse
from engine.commandline.exit_codes import FAILED, OK
from engine.commandline.output import emit_json, emit_text
from engine.commandline.text.safe_text import visible, without_secrets
from engine.composition.kafka import NO_FLEET, open_fleet
from engine.core.state.report import SCHEMA_VERSION
from engine.core.times import encode_document
from engine.core.words import SyncStatus
from engine.errors import ReplicaError, SettingsError
from engine.replicas.kafka.fleet import problems_of
from engine.replicas.kafka.sites.overview import FleetOverview, HomeOverview, WorkerOverview, overview
from engine.settings.layers import merge_layers, settings_layers, with_secrets
from engine.settings.sections import LoadedSettings
from engine.sites.files import SiteFiles
from engine.sites.sharing.draining import drain, drained_since, resume


class FleetStatus(FleetOverview, frozen=True, kw_only=True):
    """The output of `fleet status --json`."""

    schema_version: int = SCHEMA_VERSION


class FleetTopics(msgspec.Struct, frozen=True):
    """The output of `fleet topics --json`."""

    schema_version: int
    created: tuple[str, ...]
    problems: tuple[str, ...]


def run_fleet(arguments: Arguments) -> int:
    """Run the command. Returns the exit code. Raises SettingsError and ReplicaError."""
    file = Path(arguments.config) if arguments.config else None
    layers = settings_layers({}, os.environ, file, working_folder())
    settings, origins = merge_layers(layers, os.environ)
    _check_action(arguments)
    loaded = with_secrets(settings, origins, os.environ)
    if arguments.fleet_command in ("drain", "resume"):
        return _drain(arguments, loaded)
    fleet = open_fleet(loaded)
    partitions = fleet.partitions
    if arguments.fleet_command == "topics":
        found = fleet.topics()
        missing = [topic for topic in fleet.names.fleet if topic not in found]
        created = missing if arguments.topics_command == "create" else []
        if created:
            fleet.create(created)
            found = fleet.topics()
        problems = problems_of(fleet.names, found, partitions)
        is_missing = not found.keys() >= set(fleet.names.fleet)
        return _print_topics(
            arguments, FleetTopics(SCHEMA_VERSION, tuple(created), problems), is_missing=is_missing
        )
    homes = SiteFiles(settings.sites, layers, os.environ).read()
    now = time()
    fleet_now = overview(fleet.workers(), fleet.said(), homes, partitions, now)
    return _print_status(arguments, FleetStatus(**msgspec.structs.asdict(fleet_now)), now)


def _check_action(arguments: Arguments) -> None:
    action = arguments.topics_command
    if arguments.fleet_command == "topics" and action not in ("", *TOPICS_COMMANDS):
        refuse(
            f"There is no `reconcile fleet topics {visible(action)}`.",
            f"Write {' or '.join(TOPICS_COMMANDS)}.",
        )
    if arguments.fleet_command == "status" and action:
        refuse(f"There is no `reconcile fleet {visible(action)}`.", "Write `reconcile fleet status`.")


def _drain(arguments: Arguments, loaded: LoadedSettings) -> int:
    """Make the process of this machine's settings give up its homes, or take some again."""
    settings = loaded.settings
    if not settings.fleet.brokers:
        raise SettingsError(*NO_FLEET)
    worker, host = arguments.topics_command, socket.gethostname()
    if worker and worker.rpartition("-")[0] != host:
        raise SettingsError(
            f"{visible(worker)} does not run on this machine, {host}.",
            f"Run `reconcile fleet {arguments.fleet_command}` on its machine, with its settings.",
        )
    state, is_drain = Path(settings.sites.state), arguments.fleet_command == "drain"
    warning = ""
    if is_drain and drained_since(state) is None:
        warning = _check_others(arguments, loaded)
    try:
        is_new = (drain if is_drain else resume)(state)
    except OSError as error:
        raise SettingsError(
            f"{state} (sites.state) cannot be written: {error.strerror}.", "Run it as the service's user."
        ) from error
    if is_drain:
        done = "gives its homes to the other processes within seconds and takes none until `reconcile fleet resume`"
    else:
        done = "takes its share of the homes"
    before = "" if is_new else f" It was {'' if is_drain else 'not '}drained before."
    emit_text(f"The process with its state in {state} {done}.{before}\n{warning}")
    return OK


def _check_others(arguments: Arguments, loaded: LoadedSettings) -> str:
    """A warning to print with the drain. Raises SettingsError, unless forced, if no process would remain to keep the homes.

    Draining also works while Kafka is away.
    """
    try:
        fleet = open_fleet(loaded)
        found = overview(fleet.workers(), fleet.said(), (), fleet.partitions, time())
    except ReplicaError as error:
        return f"It is not known whether another process can keep its homes: {visible(error.message, 500)}\n"
    active = [worker.name for worker in found.workers if worker.state == "active"]
    host = socket.gethostname()
    is_ours = any(name == arguments.topics_command or name.rpartition("-")[0] == host for name in active)
    if len(active) > is_ours:
        return ""
    homes = count_text(len(found.sites), "home")
    lacking = f"There is no other process to keep the {homes} of this fleet"
    if arguments.force:
        return f"{lacking}: no process keeps them until one starts or is resumed.\n"
    raise SettingsError(
        f"{lacking}, so no process would.",
        "Start another process first, or write `reconcile fleet drain --force`.",
    )


def _print_topics(arguments: Arguments, found: FleetTopics, *, is_missing: bool) -> int:
    if arguments.format == "json":
        emit_json(msgspec.json.encode(found))
    else:
        made = "".join(f"created {topic}\n" for topic in found.created)
        wrong = "".join(f"failed  {problem}\n" for problem in found.problems)
        if is_missing:
            wrong += "To create what is missing: `reconcile fleet topics create`\n"
        emit_text(made + wrong if made or wrong else "All topics exist and are set up correctly.\n")
    return FAILED if found.problems else OK


def _print_status(arguments: Arguments, found: FleetStatus, now: float) -> int:
    if arguments.format == "json":
        emit_json(encode_document(found))
    else:
        emit_text("".join(_status_lines(found, now, is_quiet=arguments.quiet)))
    is_wrong = found.unowned or found.unconfigured or found.problems
    return FAILED if is_wrong else OK


def _status_lines(found: FleetStatus, now: float, *, is_quiet: bool) -> Iterator[str]:
    width = max((len(site.name) for site in found.sites), default=0)
    if not found.workers:
        yield "No process is in the fleet.\n"
    for worker in found.workers:
        yield f"{_worker_text(worker, now)}\n"
        for site in found.sites:
            if site.owner == worker.name and not (is_quiet and site.status == SyncStatus.IN_SYNC):
                yield f"  {_home_text(site, width, now)}\n"
    if found.unowned:
        count = len(found.unowned)
        yield f"{count_text(count, 'home')} {'has' if count == 1 else 'have'} no process:\n"
        for site in found.sites:
            if site.owner is None:
                yield f"  {_home_text(site, width, now)}\n"
    yield from (f"{visible(problem, 500)}\n" for problem in found.problems)


def _worker_text(worker: WorkerOverview, now: float) -> str:
    name = visible(worker.name)
    where = f" ({worker.host})" if worker.host else ""
    keeps = f"keeps {count_text(len(worker.homes), 'home')} in {count_text(worker.partitions, 'partition')}"
    since = f" for {age_text(now - worker.since)}" if worker.since is not None else ""
    match worker.state:
        case "drained":
            return f"{name}{where} has been drained{since} and {keeps}"
        case "away":
            return f"{name} is not in the consumer group and keeps no homes"
        case _:
            return f"{name}{where} {keeps}"


def _home_text(site: HomeOverview, width: int, now: float) -> str:
    word = site.stage if site.stage == "unconfigured" else site.status
    parts = [count_text(site.records, "record")] if site.records is not None else []
    parts += [f"{site.pending} pending"] if site.pending else []
    parts += [f"{site.differing} differ"] if site.differing else []
    parts += [f"for {age_text(now - site.since)}"] if site.since is not None else []
    parts += [f"reported {age_text(now - site.said_at)} ago"] if site.said_at is not None else []
    parts += [visible(without_secrets(site.reason), 200)] if site.reason else []
    return f"{word:<12} {site.name:<{width}}  {', '.join(parts)}".rstrip()
