"""Interprets InfluxDB's failures: which are worth a retry, and what to change for the others.

Turns every unexpected answer and every broken connection, of either wire, into one of our errors. The texts come
from 1.6.7 and 2.7.11 (seen 2026-11) and from the sources of 1.8.10, 2.7.12 and 3.10
(read 2026-11).
Never shows a token or a password: errors repeat nothing of the request but the address.
"""

import http.client
import re
import ssl
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

from engine.core.decode_errors import DECODE_ERRORS
from engine.errors import ReplicaError, ReplicaRejected, ReplicaUnavailable
from engine.replicas.influx.schema.points import REPLICA
from engine.replicas.influx.wires.bounds import EndlessAnswer

_PARTIAL = (
    "partial write",
    "failure writing points",
    "unable to parse",
    "field type conflict",
    "beyond retention",
    "outside retention",
)
_TRANSIENT_400 = ("queue length exceeded",)
_SMALLER = ("cache-max-memory-size", "timeout")
# A query's answer to a wrong org is a 400, a write's a 404 (2.7.11, seen 2026-11-23).
_NO_ORGANIZATION = re.compile("organization .*not found")
# Flux on a field that has two types (2.7.11, seen 2026-11-23).
_TWO_TYPES = "schema collision"
_TWO_TYPES_HINT = "Another program wrote values of another type there; delete its points."
# Errors in the query itself: a retry would fail again.
_NOT_UNDERSTOOD = (
    "type error",
    "undefined identifier",
    "undeclared",
    "error parsing",
    "nested too deep",
    "compilation failed",
)
NOT_UNDERSTOOD_HINT = "The server does not understand the query: use wire=v1, or another version of InfluxDB."
NOT_INFLUXDB_HINT = "This is not InfluxDB, although it accepts its lines (VictoriaMetrics keeps numbers only): name an InfluxDB in records.uri."
_TEXT_MAX = 300
_RETRY_SECONDS_MAX = 86_400.0
# Credentials in an address, in case a server or proxy repeats one.
_CREDENTIALS = re.compile(r"(?i)\b(p|password|token|u)=[^&\s\"']+|(Basic|Token|Bearer) [\w+/=.:-]+")


class InfluxUnavailable(ReplicaUnavailable):
    """Worth a retry. The lines sent may or may not have been stored."""

    def __init__(
        self, message: str, hint: str = "", *, retry_after_seconds: float | None = None, smaller: bool = False
    ) -> None:
        super().__init__(REPLICA, message, hint)
        self.retry_after_seconds = retry_after_seconds
        self.smaller = smaller  # whether the batch may have been too large for the server


class BatchRefused(ReplicaRejected):
    """Some lines of a batch were refused; the others may or may not have been stored."""


class BatchTooLarge(ReplicaRejected):
    """The batch is larger than the server accepts; nothing was stored."""


class BucketMissing(ReplicaRejected):
    """There is no such bucket or database; servers give the same answer for one that may not be read."""


class _ErrorBody(msgspec.Struct):
    """{"error": ...} of 1.x and 3.x, {"code": ..., "message": ...} of 2.x."""

    error: str = ""
    message: str = ""


def explain_answer(
    attempt: str, where: str, status: int, headers: Mapping[str, str], body: bytes
) -> ReplicaError:
    """The error for an unexpected answer.

    `attempt` is the action ("write to"), `where` the address, `headers` are case-insensitive or lower case.
    """
    text = _text_of(headers, body)
    what = f"Cannot {attempt} {where}: {status} {text}".rstrip(" .") + "."
    lowered = text.lower()
    if status == 400 and "http request to an https server" in lowered:
        return ReplicaRejected(REPLICA, what, "The server speaks TLS: use influxdbs:// in records.uri.")
    if status == 413:
        return BatchTooLarge(REPLICA, what, "Raise max-body-size in the server's configuration.")
    if status in (404, 405) or (status == 400 and _NO_ORGANIZATION.search(lowered)):
        return _explain_missing(what, lowered, headers)
    if (hint := _unfit_hint(status, lowered)) is not None:
        return ReplicaRejected(REPLICA, what, hint)
    if status in (400, 422):
        error = _explain_refusal(what, lowered)
        # A read has no lines that could be left out.
        return ReplicaRejected(REPLICA, what, NOT_UNDERSTOOD_HINT) if _is_of_lines(error, attempt) else error
    if status in (401, 403):
        return _explain_denial(what, status, lowered)
    if status == 429 or status >= 500:
        return InfluxUnavailable(
            what,
            "It is tried again; SQLite is not held back.",
            retry_after_seconds=_retry_after(headers),
            smaller=any(word in lowered for word in _SMALLER),
        )
    # 2xx with another content, or a redirect: a login page or a proxy, never a stored point.
    return ReplicaRejected(
        REPLICA, what, "This is not an answer of InfluxDB. Is there a proxy or a login page in front of it?"
    )


def _unfit_hint(status: int, lowered: str) -> str | None:
    """The hint for an answer that a retry will not change, although its status may suggest so."""
    if "flux query service disabled" in lowered:
        return "Set flux-enabled = true below [http] in influxdb.conf, or use wire=v1."
    if "unsupported path" in lowered:
        return NOT_INFLUXDB_HINT
    if status == 500 and "retention policy not found" in lowered:
        return "Name an existing one: influxdb://HOST/DATABASE/POLICY."
    if status == 500 and any(word in lowered for word in _NOT_UNDERSTOOD):
        return NOT_UNDERSTOOD_HINT
    return None


def _is_of_lines(error: ReplicaError, attempt: str) -> bool:
    return isinstance(error, BatchRefused) and not attempt.startswith("write")


def explain_statement(where: str, text: str) -> ReplicaError:
    """The error for a statement that failed inside a 200 answer, or an error table of Flux."""
    what = f"Cannot read {where}: {_shown(text)}."
    lowered = text.lower()
    if "authoriz" in lowered or "privilege" in lowered or "unauthorized" in lowered:
        return ReplicaRejected(REPLICA, what, "Grant the user or token read access to the bucket.")
    if "not found" in lowered or "could not find bucket" in lowered:
        return BucketMissing(REPLICA, what, "Create the bucket or database, or correct records.uri.")
    if any(word in lowered for word in _NOT_UNDERSTOOD):
        return ReplicaRejected(REPLICA, what, NOT_UNDERSTOOD_HINT)
    if _TWO_TYPES in lowered:
        return ReplicaRejected(REPLICA, what, _TWO_TYPES_HINT)
    if "max-select" in lowered or "exceed" in lowered or "timeout" in lowered or "limit" in lowered:
        return InfluxUnavailable(
            what, "Raise the server's query limits; a lower records.refresh_days also reads less at once."
        )
    return InfluxUnavailable(what, "Nothing was derived from this read; it is tried again.")


def explain_cut(where: str, detail: str) -> InfluxUnavailable:
    """The error for an answer that is not provably complete."""
    return InfluxUnavailable(
        f"Cannot read {where}: the answer is not complete ({_shown(detail)}).",
        "Nothing was derived from this read; it is tried again.",
    )


def explain_exception(attempt: str, where: str, error: Exception) -> ReplicaError:
    """The error for a connection that could not be made, or broke."""
    what = f"Cannot {attempt} {where}: "
    if isinstance(error, ssl.SSLCertVerificationError):
        return ReplicaRejected(
            REPLICA,
            f"{what}its certificate is not accepted ({error.verify_message}).",
            "Use the name the certificate is made for; for a private authority set SSL_CERT_FILE to its certificate.",
        )
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return ReplicaRejected(
            REPLICA,
            f"{what}TLS failed ({getattr(error, 'reason', None) or error}).",
            "If the server speaks plain HTTP, use influxdb:// in records.uri.",
        )
    if isinstance(error, EndlessAnswer):
        return explain_cut(where, str(error))
    if isinstance(error, TimeoutError):
        return InfluxUnavailable(
            f"{what}no answer in time.", "It is tried again; see records.timeout_seconds."
        )
    if isinstance(error, ConnectionRefusedError):
        return InfluxUnavailable(
            f"{what}nothing listens there.",
            "Start InfluxDB, or correct records.uri; InfluxDB 3 listens on port 8181.",
        )
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, http.client.RemoteDisconnected):
        return ReplicaRejected(
            REPLICA, f"{what}this is not HTTP.", "If the server speaks TLS, use influxdbs:// in records.uri."
        )
    return InfluxUnavailable(
        f"{what}the connection broke ({type(error).__name__}).",
        "It is tried again; SQLite is not held back.",
        smaller=isinstance(error, BrokenPipeError),  # closed while we were sending: perhaps too much
    )


def _explain_refusal(what: str, lowered: str) -> ReplicaError:
    if any(word in lowered for word in _TRANSIENT_400):
        return InfluxUnavailable(what, "The server is busy; it is tried again.")
    if _TWO_TYPES in lowered:
        return ReplicaRejected(REPLICA, what, _TWO_TYPES_HINT)
    if "create admin user first" in lowered:
        return ReplicaRejected(REPLICA, what, "Create an admin user in InfluxDB, or switch its auth off.")
    if "max-series-per-database" in lowered or "max-values-per-tag" in lowered:
        return BatchRefused(
            REPLICA, what, "Raise that limit in the server's configuration, or use index tsi1."
        )
    if "beyond retention" in lowered or "outside retention" in lowered:
        return BatchRefused(REPLICA, what, "Lengthen the retention, or correct this machine's clock.")
    return BatchRefused(
        REPLICA, what, "" if any(w in lowered for w in _PARTIAL) else "The server did not say which line."
    )


def _explain_denial(what: str, status: int, lowered: str) -> ReplicaError:
    if "create admin user" in lowered:
        return ReplicaRejected(REPLICA, what, "Create an admin user in InfluxDB, or switch its auth off.")
    if status == 401:
        return ReplicaRejected(
            REPLICA,
            what,
            "Give a valid token (records.token_file), or records.username and records.password_file; "
            "1.x before 1.8 knows no tokens.",
        )
    return ReplicaRejected(REPLICA, what, "Grant the user or token access to read and to write this bucket.")


def _explain_missing(what: str, lowered: str, headers: Mapping[str, str]) -> ReplicaError:
    if "database not found" in lowered:
        return ReplicaRejected(REPLICA, what, "Create it with CREATE DATABASE, or correct records.uri.")
    if "dbrp" in lowered:
        return ReplicaRejected(REPLICA, what, "Create a DBRP mapping for the bucket, or use wire=v2.")
    if "bucket" in lowered:
        return BucketMissing(REPLICA, what, "Create the bucket, or correct BUCKET and org in records.uri.")
    if "organization" in lowered or "org" in lowered:
        return ReplicaRejected(REPLICA, what, "Create the bucket, or correct BUCKET and org in records.uri.")
    if "json" not in headers.get("content-type", "").lower():
        return ReplicaRejected(
            REPLICA, what, "The server does not have this API: use wire=v1 for 1.x and 3.x, wire=v2 for 2.x."
        )
    return ReplicaRejected(REPLICA, what, "Correct records.uri.")


def _text_of(headers: Mapping[str, str], body: bytes) -> str:
    try:
        decoded = msgspec.json.decode(body, type=_ErrorBody)
        return _shown(decoded.error or decoded.message)
    except DECODE_ERRORS:
        text = body.decode("utf-8", "replace")
    if "<html" in text[:1000].lower() or "html" in headers.get("content-type", "").lower():
        return "with a web page instead of an answer"
    return _shown(text)


def _shown(text: str) -> str:
    """A server's text on one line, shortened, and without credentials."""
    line = " ".join(_CREDENTIALS.sub("***", text).split())
    return line if len(line) <= _TEXT_MAX else f"{line[:_TEXT_MAX]}..."


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds to wait that the server requests, from either form of the header; None without one."""
    given = (headers.get("retry-after") or "").strip()
    if given.isascii() and given.isdecimal():
        return min(float(given), _RETRY_SECONDS_MAX)
    try:
        until = parsedate_to_datetime(given)
        now = parsedate_to_datetime(headers.get("date") or "")
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, (until.astimezone(UTC) - now.astimezone(UTC)).total_seconds())
