"""The tokens that open one home each, of the homes that other processes keep: who has one is led there, too.

The process that keeps a home reads its token with everything else of it.
"""

from collections.abc import Mapping

from engine.sites.files import SiteFile, http_token

_LOOKS = 30  # a token that was changed is noticed in one of so many looks, each two seconds


class HomeTokens:
    """Filled in a thread, from the files of all homes."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._known: dict[str, tuple[SiteFile, str | None]] = {}
        self._looks = 0

    def take(self, files: Mapping[str, SiteFile]) -> None:
        """Read the tokens of files that changed, and now and then those of all."""
        self._looks = (self._looks + 1) % _LOOKS
        known = self._known if self._looks else {}
        found = {}
        for name, file in files.items():
            before = known.get(name)
            is_same = before is not None and before[0] is file
            found[name] = before if before is not None and is_same else (file, http_token(file))
        self._known = found

    def get(self, name: str) -> str | None:
        """The token that opens this home and no other."""
        found = self._known.get(name)
        return found[1] if found else None
