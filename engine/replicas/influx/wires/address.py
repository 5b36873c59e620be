"""`influxdb://HOST:8086/BUCKET?org=ORG&wire=v2|v1|auto`: where records go. `influxdbs` means TLS.

With wire v1 BUCKET is the database, or DATABASE/RETENTION_POLICY. It contains no secrets.
"""

from typing import Literal, cast
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec

from engine.errors import SettingsError

SCHEMES = ("influxdb", "influxdbs")

_DEFAULT_PORT = 8086
_FORM = "Use influxdb://HOST:8086/BUCKET?org=ORG&wire=v2|v1|auto, or influxdbs:// for TLS."

WireName = Literal["v1", "v2", "auto"]


class Address(msgspec.Struct, frozen=True):
    """A bucket (2.x) or a database and retention policy (1.x) on a server."""

    host: str
    port: int
    bucket: str
    org: str = ""
    wire: WireName = "auto"
    tls: bool = False

    @property
    def url(self) -> str:
        """The server, for HTTP."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    @property
    def database(self) -> str:
        """The bucket as 1.x sees it: the part before the slash."""
        return self.bucket.partition("/")[0]

    @property
    def retention_policy(self) -> str:
        """The part after the slash; empty means the database's default."""
        return self.bucket.partition("/")[2]

    def __str__(self) -> str:
        """The address as in the settings, for messages."""
        scheme = "influxdbs" if self.tls else "influxdb"
        return f"{scheme}{self.url.removeprefix('https').removeprefix('http')}/{quote(self.bucket)}"


def parse_address(uri: str) -> Address:
    """The address that `records.uri` names. Raises SettingsError, which does not repeat a password."""
    try:
        parts = urlsplit(uri)
        port = parts.port or _DEFAULT_PORT
    except ValueError as error:
        raise SettingsError(f"Setting records.uri is not an address: {error}.", _FORM) from error
    if parts.username is not None or parts.password is not None:
        raise SettingsError(
            "Setting records.uri holds a user name or password.",
            "Put them in records.username and records.password_file, or in RECONCILE_RECORDS__PASSWORD.",
        )
    bucket = unquote(parts.path.removeprefix("/"))
    if parts.scheme not in SCHEMES or not parts.hostname or not bucket:
        # Without the options: they may hold a token.
        raise SettingsError(
            f"Setting records.uri = {uri.partition('?')[0]!r} names no InfluxDB bucket.", _FORM
        )
    try:
        # A name lookup and a request do these first.
        parts.hostname.encode("idna")
        uri.encode()
    except UnicodeError:
        # Not chained: it contains the text it failed on.
        raise SettingsError(
            "Setting records.uri has a host that cannot be read, or is not UTF-8.", _FORM
        ) from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(options.keys() - {"org", "wire"})
    wire = options.get("wire", "auto")
    if unknown or wire not in ("v1", "v2", "auto"):
        # The values are not shown: they may hold a token.
        what = f"has the unknown option {unknown[0]}" if unknown else "names an unknown wire"
        raise SettingsError(f"Setting records.uri {what}.", _FORM)
    return Address(
        parts.hostname,
        port,
        bucket,
        options.get("org", ""),
        cast("WireName", wire),
        tls=parts.scheme == "influxdbs",
    )
