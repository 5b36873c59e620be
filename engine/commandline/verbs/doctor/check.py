"""One line of `reconcile doctor`."""

import msgspec


class Check(msgspec.Struct, frozen=True):
    """The result of one check."""

    name: str
    status: str  # ok, warn, fail
    message: str
    hint: str = ""
