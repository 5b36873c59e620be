"""Starts reconcile in a Home Assistant app.

    run.py DATA_FOLDER CONFIG_FOLDER

The app's options become settings, and root becomes an ordinary user who owns the data folder. Standard library only.
Home Assistant's address and token need no option: reconcile knows them from $SUPERVISOR_TOKEN.
"""

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

USER = 10001  # of no name; the container has no other user at work
CONFIG_ERROR = 78  # EX_CONFIG of sysexits
SETTINGS = {
    "mode": "RECONCILE_PLAN__MODE",
    "log_level": "RECONCILE_LOG__LEVEL",
    "site": "RECONCILE_SITE__NAME",
    "records": "RECONCILE_RECORDS__URI",
    "records_token": "RECONCILE_RECORDS__TOKEN",
    "records_username": "RECONCILE_RECORDS__USERNAME",
    "records_password": "RECONCILE_RECORDS__PASSWORD",
    "api_token": "RECONCILE_HTTP__TOKEN",
}


def main(data: Path, config: Path) -> None:
    """Becomes the service; returns only by SystemExit, with a message, when the options are none."""
    environment = {**os.environ, **settings(read_options(data / "options.json"))}
    if (config / "reconcile.toml").is_file():
        environment["RECONCILE_CONFIG"] = str(config / "reconcile.toml")
    if os.geteuid() == 0:
        hand_over(data)
        become_user()
    os.execvpe("reconcile", ["reconcile", "serve"], environment)  # noqa: S606, S607 (the image's PATH knows it)


def read_options(path: Path) -> dict[str, object]:
    """What the user chose on the app's page, as the Supervisor wrote it."""
    try:
        options = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        refuse(f"The app's options in {path} cannot be read: {error}. Save them again on the app's page.")
    if not isinstance(options, dict):
        refuse(f"The app's options in {path} are no object. Save them again on the app's page.")
    return options


def settings(options: dict[str, object]) -> dict[str, str]:
    """The environment variables for the options; an empty option is one that was not given."""
    unknown = sorted(options.keys() - SETTINGS.keys())
    if unknown:
        refuse(f"The app does not know the options {', '.join(unknown)}. Remove them on the app's page.")
    return {SETTINGS[name]: str(value) for name, value in options.items() if value not in (None, "")}


def hand_over(data: Path) -> None:
    """Gives the data folder to the user, except for the options, which may hold secrets of no concern to it."""
    for path in (data, *data.iterdir()):
        if path.name != "options.json":
            os.chown(path, USER, USER, follow_symlinks=False)


def become_user() -> None:
    """Gives up root and all its groups, for good."""
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)


def refuse(message: str) -> NoReturn:
    """Says what is wrong, and ends."""
    print(message, file=sys.stderr)
    sys.exit(CONFIG_ERROR)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
