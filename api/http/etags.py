"""Weak entity tags made of the store's revision: whether an answer is still true is known before any row is read.

Weak, because the same answer may leave compressed. A tag also covers the request's address and when this process
began, since every process counts revisions from the start.
"""

from hashlib import blake2b

from starlette.requests import Request


class RequestTag:
    """What makes the tags of one request."""

    def __init__(self, request: Request, process: str) -> None:
        address = request.scope["path"].encode() + b"?" + request.scope["query_string"]
        self.digest = blake2b(address, key=process.encode()[:64], digest_size=6).hexdigest()
        self._known = {
            tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")
        }

    def at(self, revision: int) -> str:
        """The tag of the answer at a revision."""
        return f'W/"r{revision}-{self.digest}"'

    def is_known(self, etag: str) -> bool:
        """Whether the client said that it has this answer."""
        return etag.removeprefix("W/") in self._known or "*" in self._known
