"""Digests of homes' settings, by which processes of a fleet find that they were given different ones.

They cover what a home does, not where this machine has its files; secrets are no settings, so none is in them.
"""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from engine.settings.sections import Settings
from engine.settings.sites import is_site_name
from engine.sites.files import SECTIONS, SiteFile

_encode = msgspec.json.Encoder(order="sorted").encode


class SettingsDigests:
    """Remembers the digests of files that did not change."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[SiteFile, str | None]] = {}

    def of(self, files: Mapping[str, SiteFile]) -> dict[str, str | None]:
        """The digest of each home's settings; None where its file is broken. A file that is called like no home is of none."""
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
    """A digest of what a home may set for itself, without the paths of this machine."""
    found = {name: msgspec.to_builtins(getattr(settings, name)) for name in SECTIONS}
    found["rows"].pop("file")
    if found["records"]["uri"].startswith("history:"):
        found["records"]["uri"] = "history:"
    for section in found.values():
        for name in [name for name in section if name.endswith("_file")]:
            section.pop(name)
    return blake2b(_encode(found), digest_size=8).hexdigest()
