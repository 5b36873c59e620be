"""The arguments of the command line, and their defaults."""

import argparse
from typing import NamedTuple

COMMANDS = {
    "serve": "keep running: follow Home Assistant, repair the stores, serve the API; writes like a pass",
    "drift": "compare and report what differs, whose change it was and since when; writes nothing",
    "show": "print one record, whether it is real and since when, what differs and what to do about it",
    "history": "print every version of one record, with what changed; `history compact` forgets what `history.keep_days` "
    "and `history.thin_seconds` let it",
    "config": "print the settings and where each comes from (`config show`)",
    "doctor": "check settings, Home Assistant and the stores, and say what to change",
    "store": "copy the SQLite file while it is in use (`store snapshot FILE`), or put a copy back (`store restore FILE`)",
    "site": "list, check, add, pause, resume, remove or forget the homes of `sites.directory` (`site list`)",
    "fleet": "print which process keeps which homes (`fleet status`), drain this machine's process before maintenance (`fleet drain`), "
    "create or check the topics (`fleet topics`), or serve a view of all homes (`fleet view`)",
    "healthcheck": "ask the running service whether it is alive; exits with 0, 1, or 69 when nothing answers",
    "docs": "print a page of the documentation, or explain a term in a message; without TOPIC, list both",
    "completion": "print the completion script of a shell: bash, zsh or fish",
    "version": "print the versions in use",
}
STORE_COMMANDS = {
    "snapshot": "make a consistent copy of the SQLite file in FILE, even while it is being written",
    "restore": "replace the SQLite file by the copy in FILE, and keep its current content beside it",
}
COMPACT = "compact"  # `reconcile history compact`; a record of this name needs its REGISTRY/ID
SHELLS = ("bash", "zsh", "fish")


class DeleteLimit(NamedTuple):
    """The value of --max-delete: a number of records, or a share of them (0 to 1)."""

    records_max: int | None
    ratio_max: float | None

    def __str__(self) -> str:
        """The value as typed."""
        return f"{self.records_max}" if self.ratio_max is None else f"{self.ratio_max * 100:g}%"


class Arguments(argparse.Namespace):
    """The parsed command line."""

    command: str | None = None
    config_command: str | None = None
    key: str = ""
    url: str | None = None
    shell: str = ""
    topic: str = ""
    store_command: str | None = None
    site_command: str = ""
    fleet_command: str = ""
    topics_command: str = ""
    name: str = ""
    label: str | None = None
    tags: tuple[str, ...] = ()
    shard: str | None = None
    file: str = ""
    force: bool = False
    format: str = "text"
    color: str = "auto"
    quiet: bool = False
    verbose: bool = False
    full: bool = False
    detailed_exitcode: bool = False
    before: float | None = None  # Unix seconds
    dry_run: bool = False
    observe: bool = False
    source: str | None = None
    rows: str | None = None
    records: str | None = None
    config: str | None = None
    site: str | None = None
    only: tuple[str, ...] | None = None
    max_delete: DeleteLimit | None = None
    allow_empty: bool = False
    allow_new_instance: bool = False
    prune_foreign: bool = False
    confirm_deletes: bool = False
    plan_out: str | None = None
    metrics_file: str | None = None
    plan: str | None = None
