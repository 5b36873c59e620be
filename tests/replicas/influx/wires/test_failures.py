"""The failure matrix: what each answer of a server means to us."""

import http.client
import ssl

import pytest

from engine.errors import ReplicaRejected
from engine.replicas.influx.wires.failures import (
    BatchRefused,
    BatchTooLarge,
    BucketMissing,
    InfluxUnavailable,
    explain_answer,
    explain_exception,
    explain_statement,
)

JSON = {"content-type": "application/json"}
TEXT = {"content-type": "text/plain"}
DATE = "Mon, 23 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "reported"),
    [
        (429, JSON, b'{"code":"too many requests","message":"slow down"}', InfluxUnavailable, "slow down"),
        (503, TEXT, b"request throttled, queue full", InfluxUnavailable, "queue full"),
        (500, JSON, b'{"error":"retention policy not found: nope"}', ReplicaRejected, "DATABASE/POLICY"),
        (
            500,
            JSON,
            b'{"error":"engine: cache-max-memory-size exceeded: (9/8)"}',
            InfluxUnavailable,
            "cache-max",
        ),
        (500, JSON, b'{"error":"timeout"}', InfluxUnavailable, "timeout"),
        (502, {"content-type": "text/html"}, b"<html>\xff</html>", InfluxUnavailable, "web page"),
        (401, JSON, b'{"error":"authorization failed"}', ReplicaRejected, "records.token_file"),
        (
            403,
            JSON,
            b'{"error":"create admin user first or disable authentication"}',
            ReplicaRejected,
            "admin user",
        ),
        (403, JSON, b'{"error":"\\"u\\" user is not authorized to write"}', ReplicaRejected, "Grant"),
        (404, JSON, b'{"error":"database not found: \\"t\\""}', ReplicaRejected, "CREATE DATABASE"),
        (
            404,
            JSON,
            b'{"code":"not found","message":"bucket \\"b\\" not found"}',
            BucketMissing,
            "Create the bucket",
        ),
        (404, JSON, b'{"code":"not found","message":"no dbrp mapping found"}', ReplicaRejected, "DBRP"),
        (404, TEXT, b"404 page not found", ReplicaRejected, "wire=v1"),
        (
            400,
            JSON,
            b'{"code":"invalid","message":"failed to decode request body: organization name \\"o\\" not found"}',
            ReplicaRejected,
            "correct BUCKET and org",
        ),
        (
            400,
            JSON,
            b'{"code":"invalid","message":"runtime error @8:6-8:13: group: schema collision detected"}',
            ReplicaRejected,
            "another type",
        ),
        (400, JSON, b'{"code":"invalid","message":"queue length exceeded"}', InfluxUnavailable, "busy"),
        (
            400,
            JSON,
            b'{"error":"partial write: unable to parse \'x\': missing dropped=0"}',
            BatchRefused,
            "missing",
        ),
        (
            400,
            JSON,
            b'{"error":"partial write: points beyond retention policy dropped=1"}',
            BatchRefused,
            "retention",
        ),
        (400, JSON, b'{"error":"partial write: max-values-per-tag limit exceeded"}', BatchRefused, "limit"),
        (
            400,
            JSON,
            b'{"error":"partial write of line protocol occurred","data":[]}',
            BatchRefused,
            "partial",
        ),
        (422, JSON, b'{"code":"x","message":"failure writing points to database"}', BatchRefused, "failure"),
        (413, JSON, b'{"error":"Request Entity Too Large"}', BatchTooLarge, "max-body-size"),
        (400, TEXT, b"Client sent an HTTP request to an HTTPS server.\n", ReplicaRejected, "influxdbs://"),
        (
            403,
            JSON,
            b'{"error":"Flux query service disabled. Verify x"}',
            ReplicaRejected,
            "flux-enabled = true",
        ),
        (
            500,
            JSON,
            b'{"error":"type error 4:34-4:38: undefined identifier \\"site\\""}',
            ReplicaRejected,
            "understand",
        ),
        (400, TEXT, b'unsupported path requested: "/api/v2/query"', ReplicaRejected, "not InfluxDB"),
        (
            422,
            JSON,
            b'{"code":"x","message":"partial write: dropped 1 points outside retention policy of duration 1h"}',
            BatchRefused,
            "Lengthen",
        ),
        (200, {"content-type": "text/html"}, b"<!doctype html><HTML>login", ReplicaRejected, "login page"),
        (302, {"location": "/login"}, b"", ReplicaRejected, "proxy"),
    ],
)
def test_an_answer_means(
    status: int, headers: dict[str, str], body: bytes, kind: type[Exception], reported: str
) -> None:
    error = explain_answer("write to", "influxdb://h:1/b", status, headers, body)
    assert type(error) is kind
    assert reported in str(error)
    assert error.replica == "influxdb"
    assert "influxdb://h:1/b" in error.message
    assert "\n" not in str(error)
    assert error.transient == (kind is InfluxUnavailable)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "86400"}, 86_400),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT", "date": DATE}, 30),
        ({"retry-after": "Mon, 23 Nov 2026 11:00:00 GMT", "date": DATE}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], seconds: float | None) -> None:
    error = explain_answer("write to", "h", 429, headers, b"")
    assert isinstance(error, InfluxUnavailable)
    assert error.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("text", "kind", "reported"),
    [
        ("database not found: homes", BucketMissing, "Create"),
        ("error parsing query: found FROM", ReplicaRejected, "understand"),
        ('"u" user is not authorized to read', ReplicaRejected, "read access"),
        ("query-timeout limit exceeded", InfluxUnavailable, "query limits"),
        ("max-select-series limit exceeded: (20001/20000)", InfluxUnavailable, "query limits"),
        ("engine is closed", InfluxUnavailable, "Nothing was derived"),
    ],
)
def test_a_failed_statement_means(text: str, kind: type[Exception], reported: str) -> None:
    error = explain_statement("h", text)
    assert type(error) is kind
    assert reported in str(error)


@pytest.mark.parametrize(
    ("error", "kind", "reported"),
    [
        (ConnectionRefusedError(), InfluxUnavailable, "nothing listens"),
        (TimeoutError(), InfluxUnavailable, "records.timeout_seconds"),
        (ConnectionResetError(), InfluxUnavailable, "broke"),
        (http.client.RemoteDisconnected(""), InfluxUnavailable, "broke"),
        (http.client.BadStatusLine("\x15\x03"), ReplicaRejected, "influxdbs://"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), ReplicaRejected, "influxdb://"),
        (ssl.SSLEOFError(8, "eof"), InfluxUnavailable, "broke"),
    ],
)
def test_a_broken_connection_means(error: Exception, kind: type[Exception], reported: str) -> None:
    explained = explain_exception("reach", "h", error)
    assert type(explained) is kind
    assert reported in str(explained)


def test_a_certificate_that_is_not_accepted_names_why() -> None:
    error = ssl.SSLCertVerificationError(1, "verify failed")
    error.verify_message = "unable to get local issuer certificate"
    explained = explain_exception("reach", "h", error)
    assert type(explained) is ReplicaRejected
    assert "local issuer" in str(explained)
    assert "SSL_CERT_FILE" in str(explained)


@pytest.mark.parametrize(
    "text",
    ["GET /write?u=me&p=s3cret&db=x", "Authorization: Token s3cret", "basic czNjcmV0OnM=", "password=s3cret"],
)
def test_credentials_that_a_server_repeats_are_not_shown(text: str) -> None:
    error = explain_answer("write to", "h", 400, TEXT, text.encode())
    assert "s3cret" not in str(error)
    assert "czNjcmV0OnM=" not in str(error)


def test_a_long_text_is_cut() -> None:
    assert len(str(explain_answer("write to", "h", 400, TEXT, b"x" * 10_000))) < 600


def test_a_question_that_is_refused_is_no_refused_line() -> None:
    body = b'{"code":"invalid","message":"error @1:1: Program is nested too deep"}'
    reported = explain_answer("read", "influxdb://h/b", 400, JSON, body)
    assert type(reported) is ReplicaRejected
    assert "understand" in reported.hint
