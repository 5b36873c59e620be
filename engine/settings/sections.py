"""All settings, with their defaults, units, ranges and meanings.

Secrets are not settings: they come from files or the environment, and their type does not print them.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.core.guards.guard import Policy
from engine.core.records.record import Json
from engine.core.records.registries import REGISTRIES
from engine.core.state.intervals import Intervals
from engine.secret import Secret
from engine.settings.records import HistorySettings, RecordsSettings
from engine.settings.sites import FleetSettings, SiteSettings, SitesSettings

HostName = Annotated[str, Meta(pattern=r"^[^\s:/\[\]]{1,255}\Z")]  # without scheme, port and path

# Never in the settings file and never flags; each has a corresponding setting that ends in _file.
SECRETS = ("source.token", "source.backup_key", "records.token", "records.password", "http.token")


class SourceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The source of the desired state."""

    uri: Annotated[
        str,
        Meta(
            description="ws://, wss://, http:// or https:// of Home Assistant; or storage:DIR, backup:FILE.tar, capture:DIR, records"
        ),
    ] = ""
    browser_url: Annotated[
        str,
        Meta(
            description="address of Home Assistant for users, for the page's links; empty: that of source.uri",
            pattern=r"^(https?://.*[^/])?\Z",
        ),
    ] = ""
    token_file: Annotated[
        str, Meta(description="file with a long-lived access token; a read-only user's is enough")
    ] = ""
    backup_key_file: Annotated[
        str,
        Meta(description="file with the key of an encrypted backup, such as Home Assistant's emergency kit"),
    ] = ""
    registries: Annotated[tuple[str, ...], Meta(description="registries to mirror")] = REGISTRIES
    message_bytes_max: Annotated[
        int,
        Meta(
            description="largest websocket message accepted, bytes; 20,000 entities are about 14 MB",
            ge=65_536,
            le=2**31,
        ),
    ] = 64 * 1024 * 1024
    timeout_seconds: Annotated[
        float,
        Meta(
            description="timeout of a request, seconds; Home Assistant's loop can be blocked for 8; a service gives up opening a "
            "connection after 10 at most, and tries again",
            ge=1,
            le=600,
        ),
    ] = 30.0


class RowsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The SQLite replica."""

    file: Annotated[
        str, Meta(description="SQLite file; an existing HomeIQ metadata.db is adopted in place")
    ] = "reconcile.db"
    changes_max: Annotated[
        int, Meta(description="number of changes kept in the change feed", ge=100, le=10_000_000)
    ] = 50_000
    tombstone_days: Annotated[
        int,
        Meta(
            description="days that a deleted row is kept, to be restored if the record returns; Home Assistant keeps its own for 30",
            ge=1,
            le=3650,
        ),
    ] = 60
    cache_kib: Annotated[
        int,
        Meta(
            description="SQLite's page cache per connection to the rows and the history file, KiB; "
            "128 for each of many homes",
            ge=16,
            le=1_048_576,
        ),
    ] = 2000


class HttpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The API of `reconcile serve`."""

    host: Annotated[str, Meta(description="address the API listens on")] = "127.0.0.1"
    port: Annotated[int, Meta(description="port; 0 picks a free one", ge=0, le=65_535)] = 8099
    token_file: Annotated[
        str,
        Meta(
            description="file with the token that requests must carry; required if other machines can connect"
        ),
    ] = ""
    allow_anonymous: Annotated[
        bool,
        Meta(
            description="answer every request that reaches the address, without a token and under any host name"
        ),
    ] = False
    hosts: Annotated[
        tuple[HostName, ...],
        Meta(
            description="further host names of this machine; without a token, requests under other names are refused"
        ),
    ] = ()
    cors_origins: Annotated[
        tuple[str, ...], Meta(description="origins whose pages may read the API in a browser; *: any")
    ] = ()
    trusted_peers: Annotated[
        tuple[str, ...],
        Meta(
            description="addresses of proxies that authenticate their users: they need no token; "
            "in a Home Assistant app its ingress, 172.30.32.2"
        ),
    ] = ()


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The log of `reconcile serve` on stderr."""

    format: Annotated[
        Literal["text", "json"], Meta(description="log format: readable lines, or one JSON object per line")
    ] = "text"
    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="minimum log level")] = (
        "info"
    )


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings, by section."""

    site: SiteSettings = SiteSettings()
    source: SourceSettings = SourceSettings()
    rows: RowsSettings = RowsSettings()
    records: RecordsSettings = RecordsSettings()
    history: HistorySettings = HistorySettings()
    plan: Policy = Policy()
    loop: Intervals = Intervals()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    sites: SitesSettings = SitesSettings()
    fleet: FleetSettings = FleetSettings()


class Setting(msgspec.Struct, frozen=True):
    """One setting as documented: its dotted name, default and description."""

    name: str
    default: Json
    description: str


class LoadedSettings(msgspec.Struct, frozen=True):
    """Settings, the secrets by name (see SECRETS), and the origin of each value that is not a default."""

    settings: Settings
    origins: dict[str, str]
    secrets: dict[str, Secret]
    secret_origins: dict[str, str]

    @property
    def token(self) -> Secret:
        """The access token for Home Assistant."""
        return self.secrets["source.token"]

    @property
    def backup_key(self) -> Secret:
        """The key of an encrypted backup."""
        return self.secrets["source.backup_key"]

    @property
    def records_token(self) -> Secret:
        """InfluxDB's token."""
        return self.secrets["records.token"]

    @property
    def records_password(self) -> Secret:
        """The password of the user of InfluxDB or Kafka."""
        return self.secrets["records.password"]

    @property
    def http_token(self) -> Secret:
        """The token that requests to the API must carry."""
        return self.secrets["http.token"]


def documented_settings() -> tuple[Setting, ...]:
    """Every setting, in file order."""
    found = []
    for section in msgspec.structs.fields(Settings):
        for field in msgspec.structs.fields(section.type):
            meta = field.type.__metadata__[0]
            found.append(Setting(f"{section.name}.{field.name}", field.default, meta.description))
    return tuple(found)


DOCUMENTED = documented_settings()
SETTING_NAMES = tuple(setting.name for setting in DOCUMENTED)
LIST_NAMES = frozenset(setting.name for setting in DOCUMENTED if isinstance(setting.default, tuple))
TEXT_NAMES = frozenset(setting.name for setting in DOCUMENTED if isinstance(setting.default, str))
SWITCH_NAMES = frozenset(setting.name for setting in DOCUMENTED if isinstance(setting.default, bool))
