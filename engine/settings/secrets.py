"""Reads secrets: from a file that a setting names, a variable, or a mounted secret. No error repeats one."""

import os
from collections.abc import Mapping
from pathlib import Path

from engine.errors import SettingsError
from engine.secret import Secret
from engine.settings.text import backup_key, decode_text, why_unreadable, without_wrapping

ENVIRONMENT_PREFIX = "RECONCILE_"

_SECRET_BYTES_MAX = 2**16


def read_secret(name: str, file: str, environ: Mapping[str, str]) -> tuple[Secret, str]:
    """The secret `name`, from its file if one is named, and its origin. Raises SettingsError."""
    secret, origin = _find_secret(name, file, environ)
    _check_secret(name, secret.reveal(), origin)
    return secret, origin


def _find_secret(name: str, file: str, environ: Mapping[str, str]) -> tuple[Secret, str]:
    """The secret `name` (such as source.token) and its origin: its file, its variable, a mounted secret."""
    setting = f"{name}_file"
    if file:
        return _read_secret(Path(file), setting), f"file {file}"
    variable = ENVIRONMENT_PREFIX + name.upper().replace(".", "__")
    if environ.get(variable):
        return Secret(_unwrapped(name, environ[variable])), variable
    for directory in (environ.get("CREDENTIALS_DIRECTORY"), "/run/secrets"):
        if directory:
            candidate = Path(directory) / name.replace(".", "_")
            if os.path.isfile(candidate):  # noqa: PTH113 (pathlib's raises for a folder that cannot be searched)
                return _read_secret(candidate, setting), f"file {candidate}"
    if name == "source.token" and environ.get("SUPERVISOR_TOKEN"):
        return Secret(environ["SUPERVISOR_TOKEN"]), "SUPERVISOR_TOKEN"
    return Secret(""), "not given"


def _check_secret(name: str, text: str, origin: str) -> None:
    """Refuse an invalid secret here without repeating it, because a library's later error would show it."""
    if not name.endswith("token"):
        is_usable = not any("\ud800" <= character <= "\udfff" for character in text)
    else:
        is_usable = text.isascii() and text.isprintable() and " " not in text
    if not is_usable:
        raise SettingsError(
            f"The {name} ({origin}) holds characters that are not allowed.",
            f"Correct it, or name its file in {name}_file. A token is printable ASCII without spaces.",
        )


def _read_secret(path: Path, setting: str) -> Secret:
    try:
        text = _unwrapped(setting, read_text(path, _SECRET_BYTES_MAX, _SECRET_BYTES_MAX))
    except (OSError, ValueError) as error:
        is_missing = isinstance(error, FileNotFoundError)
        raise SettingsError(
            f"The file {shown(path)} cannot be read: {why_unreadable(error)}.",
            f"{'Create the file' if is_missing else 'Correct its mode'}, or correct {setting}.",
        ) from None  # a decoding error contains the secret
    # A password may hold spaces, a token cannot.
    is_token = setting.endswith("token_file")
    if is_token and (not text or any(c.isspace() for c in text)):
        raise SettingsError(
            f"The file {shown(path)} does not hold one token.",
            f"The file that {setting} names must hold the token and nothing else.",
        )
    return Secret(text)


def _unwrapped(name: str, text: str) -> str:
    """A secret without what editors and env files add around it. A password may begin and end with anything."""
    if "backup_key" in name:
        return backup_key(text)
    return without_wrapping(text) if "token" in name else text.strip("\r\n")


def read_text(path: Path, bytes_max: int, line_bytes_max: int) -> str:
    """The text of a file, which may be a pipe. Raises OSError, and ValueError when it is too long or not UTF-8."""
    with path.open("rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise ValueError(f"it is longer than {bytes_max} bytes")
    if any(len(line) > line_bytes_max for line in data.splitlines()):
        raise ValueError(f"it has a line of more than {line_bytes_max} bytes")
    return decode_text(data)


def shown(path: Path) -> str:
    """The path for an error, unless it may be the token itself by mistake: a token is long and has no slash."""
    return str(path) if "/" in str(path) or len(str(path)) < 40 else "***"
