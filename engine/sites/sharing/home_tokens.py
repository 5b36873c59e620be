"""The tokens that grant access to one home each, for homes that other processes keep: a request with one is redirected there.

The process that keeps a home reads its token together with the home's settings.
"""

from collections.abc import Mapping

from engine.sites.files import SiteFile, http_token

_LOOKS = 30  # changed tokens are checked once in so many rounds, which come every two seconds


class HomeTokens:
    """Reads the files of all homes, in a thread."""

    def __init__(self) -> None:
        """Reads nothing yet."""
        self._known: dict[str, tuple[SiteFile, str | None]] = {}
        self._looks = 0

    def take(self, files: Mapping[str, SiteFile]) -> None:
        """Read the tokens of changed files, and from time to time those of all files."""
        self._looks = (self._looks + 1) % _LOOKS
        known = self._known if self._looks else {}
        found = {}
        for name, file in files.items():
            before = known.get(name)
            is_same = before is not None and before[0] is file
            found[name] = before if before is not None and is_same else (file, http_token(file))
        self._known = found

    def get(self, name: str) -> str | None:
        """The token that grants access to this home only."""
        found = self._known.get(name)
        return found[1] if found else None
