"""One line of `reconcile doctor`."""

import msgspec


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    status: str  # ok, warn, fail
    message: str
    hint: str = ""
