"""Digests of homes' settings, with which the processes of a fleet notice that they have different settings.

They cover a home's behaviour, not the paths of this machine, and include no secrets, which are not settings.
"""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from engine.settings.sections import Settings
from engine.settings.sites import is_site_name
from engine.sites.files import SECTIONS, SiteFile

_encode = msgspec.json.Encoder(order="sorted").encode


class SettingsDigests:
    """Caches the digests of unchanged files."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[SiteFile, str | None]] = {}

    def of(self, files: Mapping[str, SiteFile]) -> dict[str, str | None]:
        """The digest of each home's settings; None if its file is broken. A file without a valid name belongs to no home."""
        known, self._known = self._known, {}
        for name, file in files.items():
            if not is_site_name(name):
                continue
            before = known.get(name)
            is_same = before is not None and before[0] is file
            self._known[name] = before if before is not None and is_same else (file, _digest(file))
        return {name: digest for name, (_, digest) in self._known.items()}


def _digest(file: SiteFile) -> str | None:
    if file.loaded is None:
        return None
    return settings_digest(file.loaded.settings)


def settings_digest(settings: Settings) -> str:
    """A digest of the sections that a home may set, without the paths of this machine."""
    found = {name: msgspec.to_builtins(getattr(settings, name)) for name in SECTIONS}
    found["rows"].pop("file")
    if found["records"]["uri"].startswith("history:"):
        found["records"]["uri"] = "history:"
    for section in found.values():
        for name in [name for name in section if name.endswith("_file")]:
            section.pop(name)
    return blake2b(_encode(found), digest_size=8).hexdigest()
