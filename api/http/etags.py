"""Weak entity tags from the store's revision, which show whether an answer is current before any row is read.

Weak, because the same answer may be sent compressed. A tag also covers the request's address and this process's
start, since every process counts revisions from the beginning.
"""

from hashlib import blake2b

from starlette.requests import Request


class RequestTag:
    """Makes the entity tags of one request."""

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
        """Whether the client's headers say that it has this answer."""
        return etag.removeprefix("W/") in self._known or "*" in self._known
