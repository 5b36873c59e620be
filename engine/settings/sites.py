"""The settings sections `site`, `sites` and `fleet`: the home's identity, many homes in one process, and in several."""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# A home's name, in settings, file names and messages. `\Z` and not `$`, which also matches before a line break.
NAME_PATTERN = r"^[a-z0-9_-]{1,64}\Z"
SiteName = Annotated[str, Meta(pattern=NAME_PATTERN)]
_match_name = re.compile(NAME_PATTERN).match

# Without a user, a query or a fragment.
PUBLIC_URL = (
    r"^(https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*)?\Z"
)


class SiteSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The identity of this home."""

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
    state: Annotated[str, Meta(description="folder with one folder per home for its stores")] = "var/sites"
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
        int, Meta(description="threads that decode Home Assistant's answers", ge=1, le=64)
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
            description="homes with their own series in /metrics; auto is all, above 2,000 homes only those "
            "that are not in sync"
        ),
    ] = "auto"


class FleetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Several processes that share the homes of one folder."""

    brokers: Annotated[
        str,
        Meta(
            description="HOST:9092,HOST:9092 of the Kafka through which processes share the homes of sites.directory; "
            "with a leading kafkas:// or a trailing ?partitions=48&replicas=3&sasl=PLAIN as in records.kafka_uri; empty: none"
        ),
    ] = ""
    prefix: Annotated[
        str,
        Meta(
            description="prefix of a fleet's topics and consumer group",
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
            description="session timeout, seconds: a process without contact for that long loses its homes to the others",
            ge=6,
            le=300,
        ),
    ] = 10.0
    view_file: Annotated[
        str,
        Meta(description="file of `reconcile fleet view`, a cache of what it read from Kafka"),
    ] = "var/fleet_view.db"


def is_site_name(text: str) -> bool:
    """Whether a home can have this name."""
    return _match_name(text) is not None
