"""Options that several commands share, and those of `reconcile site`. Imports no library: `--help` must respond immediately."""

import argparse

FLEET_COMMANDS = ("status", "drain", "resume", "topics", "view")
TOPICS_COMMANDS = ("check", "create")
SITE_COMMANDS = ("list", "check", "add", "pause", "resume", "remove", "forget")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Settings that most commands take."""
    group = parser.add_argument_group("settings")
    add_source(group)
    add_rows(group)
    group.add_argument(
        "--records",
        metavar="URI",
        help="history:FILE, influxdb://HOST:8086/BUCKET, kafka://HOST:9092/PREFIX, or none",
    )
    add_settings_file(group)
    add_name(group)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Options for printing the result."""
    group = parser.add_argument_group("output")
    add_format(group)
    group.add_argument("--full", action="store_true", help="print everything, not 50 lines of each group")
    group.add_argument(
        "--color", choices=("auto", "always", "never"), help="auto respects NO_COLOR and the terminal"
    )
    add_quiet(group)
    group.add_argument("-v", "--verbose", action="store_true", help="print each step, and the hashes")


def add_source(group: argparse._ActionsContainer) -> None:
    """The option for the source."""
    group.add_argument(
        "--source",
        metavar="URI",
        help="ws://HOST:8123 (or wss, http, https), storage:DIR, backup:FILE.tar, capture:DIR, or records",
    )


def add_name(group: argparse._ActionsContainer) -> None:
    """The option for the home."""
    group.add_argument(
        "--site", metavar="NAME", help="the home's name; one of those in sites.directory, if it is set"
    )


def add_rows(group: argparse._ActionsContainer) -> None:
    """The option for the rows file."""
    group.add_argument("--rows", metavar="FILE", help="the SQLite file")


def add_format(group: argparse._ActionsContainer) -> None:
    """The option for text or JSON."""
    group.add_argument("--format", choices=("text", "json"), help="text for people, json for programs")
    group.add_argument("--json", action="store_const", const="json", dest="format", help="--format json")


def add_settings_file(group: argparse._ActionsContainer) -> None:
    """The option for the settings file."""
    group.add_argument("--config", metavar="FILE", help="settings file (reconcile.toml, if it exists)")


def add_quiet(group: argparse._ActionsContainer) -> None:
    """The option for less output."""
    group.add_argument("-q", "--quiet", action="store_true", help="print only errors (and the JSON)")


def add_site(site: argparse.ArgumentParser) -> None:
    """The arguments of `reconcile site`."""
    site.add_argument("site_command", metavar="ACTION", choices=SITE_COMMANDS, help=", ".join(SITE_COMMANDS))
    site.add_argument("name", metavar="NAME", nargs="?", default="", help="the home; list and check take all")
    add_source(site)
    site.add_argument("--label", metavar="TEXT", help="the home's name for people (add)")
    site.add_argument(
        "--tags",
        type=lambda text: tuple(text.split(",")),
        metavar="TAG,...",
        help="words to find it by (add)",
    )
    add_settings_file(site)
    add_format(site)
    add_quiet(site)
    site.add_argument("-v", "--verbose", action="store_true", help="print each step")


def add_fleet(fleet: argparse.ArgumentParser) -> None:
    """The arguments of `reconcile fleet`."""
    fleet.add_argument(
        "fleet_command", metavar="WHAT", choices=FLEET_COMMANDS, help=", ".join(FLEET_COMMANDS)
    )
    fleet.add_argument(
        "topics_command",
        metavar="ACTION",
        nargs="?",
        default="",
        help="for topics: check (the default) or create; for drain and resume: the process, which must run on this machine",
    )
    fleet.add_argument("--force", action="store_true", help="drain also the last process that keeps homes")
    add_settings_file(fleet)
    add_format(fleet)
    add_quiet(fleet)
