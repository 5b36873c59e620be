"""Limits the answers in the InfluxDB 2 client's connection pools. A separate module, because urllib3 loads slowly."""

import http.client

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from engine.replicas.influx.wires.bounds import BoundedAnswer


def bound_answers(pools: urllib3.PoolManager) -> None:
    """Limit the answers of every connection that these pools open from now on."""
    pools.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}


class _PooledPlain(HTTPConnection):
    response_class: type[http.client.HTTPResponse] = BoundedAnswer


class _PooledTls(HTTPSConnection):
    response_class: type[http.client.HTTPResponse] = BoundedAnswer


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PooledPlain  # type: ignore[mutable-override]  # as documented


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _PooledTls  # type: ignore[mutable-override]
