"""A home all of whose secrets are one word in many places, and the search for that word in bytes.

The word is in tokens and passwords, in the data and options of config entries, and in the files of `.storage`
that are not ours to read. Anything that contains it later, in any encoding of a token, has leaked.
"""

import base64
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.sources.recorded_homes import DATA, fake_answers

RECORDED = DATA / "2026.11.0"
WORD = "c4n4ry"
HOME_TOKEN = f"eyJ-{WORD}-home-0123456789"
BACKUP_KEY = f"{WORD} backup key"
INFLUX_TOKEN = f"{WORD}-influx-0123456789=="
INFLUX_PASSWORD = f"{WORD} influx p\u00e4ssword"
API_TOKEN = f"{WORD}-api-0123456789"
TOKENS = (HOME_TOKEN, BACKUP_KEY, INFLUX_TOKEN, INFLUX_PASSWORD, API_TOKEN)

# The word in base64, after any text; the first and last characters depend on the neighbours.
_SHIFTED = (base64.b64encode(b"\0" * shift + WORD.encode())[(shift * 8 + 5) // 6 :] for shift in range(3))
_FORMS = (
    WORD.encode(),
    *(text.rstrip(b"=")[:6] for text in _SHIFTED),
    WORD.encode("utf-16-le"),
    WORD.encode().hex().encode(),
)

SECRET_ENTRY: dict[str, Any] = {
    "data": {"host": "192.0.2.1", "password": f"{WORD}-data", "nested": [{"key": f"{WORD}-nested"}]},
    "options": {"api_key": f"{WORD}-options"},
    "unique_id": f"{WORD}-unique",
    "subentries": [{"data": {"token": f"{WORD}-subentry"}, "subentry_id": "s", "title": "t"}],
    "discovery_keys": {"zeroconf": [{"key": [f"{WORD}-discovery"]}]},
}
SECRET_FILES = {
    "auth": {"refresh_tokens": [{"token": f"{WORD}-refresh", "jwt_key": f"{WORD}-jwt"}]},
    "auth_provider.homeassistant": {"users": [{"password": f"{WORD}-hash"}]},
    "core.config": {"location_name": f"{WORD}-place", "latitude": 12.345},
    "onboarding": {"done": [f"{WORD}-onboarding"]},
}


def leaks(data: bytes) -> list[bytes]:
    """What of the word is in some bytes, each with what stands around it."""
    found = []
    for form in _FORMS:
        at = data.find(form)
        if at >= 0:
            found.append(data[max(0, at - 60) : at + 60])
    return found


def leaks_below(folder: Path, but: Iterable[Path] = ()) -> dict[str, list[bytes]]:
    """The leaks in the names and contents of all files below a folder, except in some that were given."""
    kept = tuple(but)
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and not any(path.is_relative_to(given) for given in kept):
            reported = leaks(path.name.encode() + b"\0" + path.read_bytes())
            if reported:
                found[str(path)] = reported
    return found


def write_storage(folder: Path) -> Path:
    """A `.storage` folder with secrets in all places where a real one has them."""
    shutil.copytree(RECORDED / "storage", folder)
    entries = folder / "core.config_entries"
    document = json.loads(entries.read_text())
    for entry in document["data"]["entries"]:
        entry.update(SECRET_ENTRY)
    entries.write_text(json.dumps(document))
    for name, data in SECRET_FILES.items():
        (folder / name).write_text(json.dumps({"version": 1, "minor_version": 1, "key": name, "data": data}))
    return folder


def secret_answers() -> dict[str, Any]:
    """The answers of a Home Assistant that sends more than it does today."""
    answers = fake_answers(RECORDED)
    on_the_wire = {name: value for name, value in SECRET_ENTRY.items() if name != "discovery_keys"}
    answers["config_entries/get"] = [entry | on_the_wire for entry in answers["config_entries/get"]]
    answers["get_config"] |= {"location_name": f"{WORD}-place", "external_url": f"http://{WORD}"}
    return answers
