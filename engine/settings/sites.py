"""The settings sections `site`, `sites` and `fleet`: which home it is, many homes in one process, and in several."""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# A home's name, wherever one is read: settings, file names, messages. `\Z` and not `$`, which also matches before a line break.
NAME_PATTERN = r"^[a-z0-9_-]{1,64}\Z"
SiteName = Annotated[str, Meta(pattern=NAME_PATTERN)]
_match_name = re.compile(NAME_PATTERN).match

# Without a user, a query or a fragment.
PUBLIC_URL = (
    r"^(https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*)?\Z"
)


class SiteSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which home this is."""

    name: Annotated[
        str,
        Meta(
            description="the home's name in records, metrics and reports: a-z, 0-9, _ and -",
            pattern=NAME_PATTERN,
        ),
    ] = "home"
    label: Annotated[str, Meta(description="the home's name for people", max_length=200)] = ""
    tags: Annotated[tuple[SiteName, ...], Meta(description="tags to find homes by: a-z, 0-9, _ and -")] = ()


class SitesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Many homes in one process."""

    directory: Annotated[
        str, Meta(description="folder with one settings file for each home, NAME.toml; empty: one home")
    ] = ""
    state: Annotated[
        str, Meta(description="folder in which each home has a folder of its own, with its stores")
    ] = "var/sites"
    secrets: Annotated[
        str, Meta(description="folder with NAME/source_token and NAME/http_token of each home")
    ] = ""
    shard: Annotated[
        str,
        Meta(
            description="share of the homes that this process keeps: I/N, from 1/N to N/N",
            pattern=r"^[0-9]{1,4}/[0-9]{1,4}\Z",
        ),
    ] = "1/1"
    connecting_max: Annotated[
        int, Meta(description="limit of homes that connect at the same time", ge=1, le=1000)
    ] = 20
    reading_max: Annotated[
        int, Meta(description="limit of homes that are read in full at the same time", ge=1, le=1000)
    ] = 8
    threads_decode: Annotated[
        int, Meta(description="threads that decode answers of Home Assistant", ge=1, le=64)
    ] = 4
    threads_store: Annotated[
        int,
        Meta(
            description="threads that compare and write files; as many again read homes from files, and as many wait for InfluxDB and Kafka",
            ge=1,
            le=64,
        ),
    ] = 8
    memory_mib_max: Annotated[
        int,
        Meta(
            description="resident memory, MiB, above which no further home is started; 0 is 80 % of the control "
            "group's limit, if it has one",
            ge=0,
        ),
    ] = 0
    keep_days: Annotated[
        float,
        Meta(
            description="days after which rows of a home that moved to another process of the fleet are removed here, "
            "if all of them can be rebuilt; 0: never",
            ge=0,
            le=3650,
        ),
    ] = 3
    metrics: Annotated[
        Literal["auto", "all", "unhealthy", "none"],
        Meta(
            description="homes with series of their own in /metrics; auto is all, above 2,000 homes only those "
            "that are not in sync"
        ),
    ] = "auto"


class FleetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Several processes that share the homes of one folder."""

    brokers: Annotated[
        str,
        Meta(
            description="HOST:9092,HOST:9092 of the Kafka through which processes share the homes of sites.directory; "
            "with kafkas:// before it or ?partitions=48&replicas=3&sasl=PLAIN behind it as in records.kafka_uri; empty: none"
        ),
    ] = ""
    prefix: Annotated[
        str,
        Meta(
            description="what the topics of a fleet begin with, and the name of its consumer group",
            pattern=r"^[A-Za-z0-9._-]{1,200}\Z",
        ),
    ] = "reconcile"
    url: Annotated[
        str,
        Meta(
            description="address of this process's API for people and programs, http:// or https://; other processes redirect "
            "requests for its homes there; empty: no redirects",
            pattern=PUBLIC_URL,
            max_length=2000,
        ),
    ] = ""
    session_seconds: Annotated[
        float,
        Meta(
            description="session timeout, seconds: a process without contact for so long loses its homes to the others",
            ge=6,
            le=300,
        ),
    ] = 10.0
    view_file: Annotated[
        str,
        Meta(
            description="file of `reconcile fleet view`: what it read from Kafka, which it can read again at any time"
        ),
    ] = "var/fleet_view.db"


def is_site_name(text: str) -> bool:
    """Whether a home can have this name."""
    return _match_name(text) is not None
