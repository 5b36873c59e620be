"""The settings sections `records` and `history`: the store of earlier versions, and its retention."""

from typing import Annotated

import msgspec
from msgspec import Meta


class RecordsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The records replica: every version of every record."""

    uri: Annotated[
        str,
        Meta(
            description="history:FILE; influxdb://HOST:8086/BUCKET?org=ORG&wire=v2 (or v1, auto; influxdbs: TLS; "
            "with wire v1 BUCKET is DATABASE or DATABASE/POLICY); kafka://HOST:9092,HOST:9092/PREFIX"
            "?partitions=48&replicas=3&sasl=SCRAM-SHA-512 (or PLAIN, SCRAM-SHA-256; kafkas: TLS); or none"
        ),
    ] = "history:reconcile-history.db"
    kafka_uri: Annotated[
        str,
        Meta(
            description="kafka://HOST:9092/PREFIX, as in records.uri, kept in addition to the store that records.uri names; "
            "empty: none"
        ),
    ] = ""
    token_file: Annotated[
        str, Meta(description="file with an InfluxDB token that allows reading and writing the bucket")
    ] = ""
    username: Annotated[
        str, Meta(description="user of InfluxDB 1.x, or of Kafka by SASL; its password is never in this file")
    ] = ""
    password_file: Annotated[str, Meta(description="file with that user's password")] = ""
    properties_file: Annotated[
        str,
        Meta(
            description="file with further properties of Kafka's client (librdkafka's names), name=value a line"
        ),
    ] = ""
    timeout_seconds: Annotated[
        float, Meta(description="timeout of a request to InfluxDB or Kafka, seconds", ge=1, le=600)
    ] = 30.0
    refresh_days: Annotated[
        float,
        Meta(
            description="days after which an unchanged record is written to InfluxDB again; never more than half of "
            "the bucket's retention",
            ge=0.25,
            le=365,
        ),
    ] = 5.0
    verify_seconds: Annotated[
        float,
        Meta(
            description="seconds after which InfluxDB's payloads are read and hashed again, not only their hashes, "
            "and all of Kafka's topics",
            ge=0,
            le=604_800,
        ),
    ] = 3_600.0
    outbox_bytes_max: Annotated[
        int,
        Meta(
            description="limit of bytes kept beside the rows file until InfluxDB has confirmed them",
            ge=1_000_000,
            le=2**31,
        ),
    ] = 64 * 1024 * 1024


class HistorySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The retention of the history file; by default it forgets nothing."""

    keep_days: Annotated[
        int,
        Meta(
            description="days of history to keep, with each record's state at the edge; 0 keeps all of it",
            ge=0,
            le=36_500,
        ),
    ] = 0
    thin_seconds: Annotated[
        int,
        Meta(
            description="thinning interval, seconds: once it is over, only a record's last version in it is kept; "
            "0 keeps all of them",
            ge=0,
            le=604_800,
        ),
    ] = 0
