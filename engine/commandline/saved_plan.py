"""A saved plan: the report of a dry run in a file, and the fingerprints that a pass must match to carry it out.

Invariant: a plan file is complete or absent, and only its owner can read it: it names every device.
"""

import errno
from pathlib import Path

import msgspec

from engine.core.decode_errors import DECODE_ERRORS
from engine.core.state.report import SCHEMA_VERSION, Report
from engine.core.times import encode_document
from engine.core.words import Mode
from engine.errors import EngineError
from engine.files.modes import OWNER_ONLY, write_whole

_PIECE_BYTES = 2**24
_PLAN_BYTES_MAX = 512 * 2**20  # 200,000 entities with every record in full need half of it


class _SavedReplica(msgspec.Struct):
    replica: str
    fingerprint: str | None = None


class _SavedReport(msgspec.Struct):
    mode: str
    site: str
    replicas: tuple[_SavedReplica, ...]


class _Versioned(msgspec.Struct):
    schema_version: int


def write_plan(path: Path, report: Report) -> None:
    """Write the report as JSON, atomically. Raises EngineError; an older file then stays unchanged."""
    document = msgspec.json.format(encode_document(report), indent=2) + b"\n"
    try:
        write_whole(path, document, OWNER_ONLY)
    except OSError as error:
        raise EngineError(
            f"The plan could not be written to {path}: {error.strerror}.",
            "Name another file with --plan-out.",
        ) from error


def read_fingerprints(path: Path, site: str) -> dict[str, str]:
    """The plan's fingerprint for each replica. Raises EngineError when the file is not a plan for this home."""
    hint = "Make one with --plan-out FILE."
    try:
        data = _read(path)
        version = msgspec.json.decode(data, type=_Versioned).schema_version
    except OSError as error:
        raise EngineError(f"The plan {path} cannot be read: {error.strerror or error}.", hint) from error
    except DECODE_ERRORS as error:
        raise EngineError(f"{path} is not a saved plan: {error}.", hint) from error
    if version != SCHEMA_VERSION:
        raise EngineError(
            f"The plan {path} has schema_version {version}; this program reads {SCHEMA_VERSION}.", hint
        )
    try:
        report = msgspec.json.decode(data, type=_SavedReport)
    except DECODE_ERRORS as error:
        raise EngineError(f"{path} is not a saved plan: {error}.", hint) from error
    if report.mode == Mode.APPLY:
        raise EngineError(f"{path} is the report of a pass that wrote, not a plan.", hint)
    if report.site != site:
        raise EngineError(f"The plan {path} is for the site {report.site}, not for {site}.", hint)
    unknown = sorted(r.replica for r in report.replicas if r.fingerprint is None)
    if unknown or not report.replicas:
        raise EngineError(f"The plan {path} is incomplete: {', '.join(unknown) or 'no replica'}.", hint)
    return {r.replica: r.fingerprint for r in report.replicas if r.fingerprint is not None}


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = b""
            # In pieces: read() allocates its argument, however short the file is.
            while len(data) <= _PLAN_BYTES_MAX and (piece := file.read(_PIECE_BYTES)):
                data += piece
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, str(error)) from error
    if len(data) > _PLAN_BYTES_MAX:
        raise OSError(errno.EFBIG, f"it is larger than {_PLAN_BYTES_MAX} bytes")
    return data
