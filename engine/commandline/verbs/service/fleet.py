"""`reconcile fleet`: the processes that share homes through Kafka, and their topics. It talks to no service."""

import os
from pathlib import Path

import msgspec

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import working_folder
from engine.commandline.exit_codes import FAILED, OK
from engine.commandline.output import emit_json, emit_text
from engine.composition.kafka import open_fleet
from engine.core.state.report import SCHEMA_VERSION
from engine.replicas.kafka.fleet import WorkerHomes, homes_of, problems_of
from engine.settings.layers import merge_layers, settings_layers, with_secrets
from engine.sites.files import SiteFiles


class FleetStatus(msgspec.Struct, frozen=True):
    """What `fleet status --json` prints."""

    schema_version: int
    workers: tuple[WorkerHomes, ...]
    unowned: tuple[str, ...]  # homes that no process keeps


class FleetTopics(msgspec.Struct, frozen=True):
    """What `fleet topics --json` prints."""

    schema_version: int
    created: tuple[str, ...]
    problems: tuple[str, ...]


def run_fleet(arguments: Arguments) -> int:
    """Do it. Returns the exit code. Raises SettingsError and ReplicaError."""
    file = Path(arguments.config) if arguments.config else None
    layers = settings_layers({}, os.environ, file, working_folder())
    settings, origins = merge_layers(layers, os.environ)
    fleet = open_fleet(with_secrets(settings, origins, os.environ))
    partitions = fleet.partitions
    if arguments.fleet_command == "topics":
        found = fleet.topics()
        missing = [topic for topic in fleet.names.fleet if topic not in found]
        created = missing if arguments.topics_command == "create" else []
        if created:
            fleet.create(created)
            found = fleet.topics()
        problems = problems_of(fleet.names, found, partitions)
        return _print_topics(arguments, FleetTopics(SCHEMA_VERSION, tuple(created), problems))
    homes = SiteFiles(settings.sites, layers, os.environ).read()
    workers = homes_of(fleet.workers(), homes, partitions)
    kept = {name for worker in workers for name in worker.homes}
    return _print_status(arguments, FleetStatus(SCHEMA_VERSION, workers, tuple(sorted(homes.keys() - kept))))


def _print_topics(arguments: Arguments, found: FleetTopics) -> int:
    if arguments.format == "json":
        emit_json(msgspec.json.encode(found))
    else:
        made = "".join(f"made    {topic}\n" for topic in found.created)
        wrong = "".join(f"failed  {problem}\n" for problem in found.problems)
        emit_text(made + wrong if made or wrong else "The topics are as they have to be.\n")
    return FAILED if found.problems else OK


def _print_status(arguments: Arguments, found: FleetStatus) -> int:
    if arguments.format == "json":
        emit_json(msgspec.json.encode(found))
    else:
        lines = [
            f"{worker.name} ({worker.host}) keeps {len(worker.homes)} homes in {worker.partitions} partitions\n"
            for worker in found.workers
        ]
        emit_text("".join(lines) or "No process is in the fleet.\n")
        if found.unowned:
            emit_text(f"No process keeps {len(found.unowned)} homes, {found.unowned[0]} first.\n")
    return FAILED if found.unowned else OK
