"""A cache of encoded answers, each with the store's data version at its creation.

The data version is taken before the store is read, so an answer with the current version cannot be outdated.
"""

import msgspec

BYTES_MAX = 4 * 1024 * 1024
ANSWER_BYTES_MAX = 512 * 1024  # a larger answer would evict everything else


class CachedAnswer(msgspec.Struct, frozen=True):
    """One answer: its entity tag, encoded body, and Link header."""

    etag: str
    body: bytes
    link: str | None


class AnswerCache:
    """Answers by request, least recently used out first. For one event loop."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: dict[str, tuple[int, CachedAnswer]] = {}

    def get(self, request: str, data_version: int | None) -> CachedAnswer | None:
        """The answer to a request, if it has this data version."""
        kept = self._kept.get(request)
        if kept is None or kept[0] != data_version:
            return None
        self._kept[request] = self._kept.pop(request)
        return kept[1]

    def put(self, request: str, data_version: int | None, answer: CachedAnswer) -> None:
        """Keep an answer, unless it is too large or has no data version; evict others to make room."""
        if data_version is None or len(answer.body) > min(ANSWER_BYTES_MAX, self._bytes_max):
            return
        self._drop(request)
        self._kept[request] = (data_version, answer)
        self._bytes += len(answer.body)
        while self._bytes > self._bytes_max:
            self._drop(next(iter(self._kept)))

    def _drop(self, request: str) -> None:
        kept = self._kept.pop(request, None)
        self._bytes -= len(kept[1].body) if kept else 0
