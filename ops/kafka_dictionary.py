"""What each topic, header and field in Kafka means, as a reference page; `ops/documentation.py` writes it.

A field without an entry here, or an entry without a field, fails `tests/test_documented.py`.
"""

from engine.replicas.kafka.address import PARTITIONS, REPLICAS
from engine.replicas.kafka.topics import CHANGES_DAYS, TOMBSTONE_DAYS, TopicNames, settings_of
from ops.markdown import page, table

ENVELOPE = {
    "before": "the record as it stood in the topic; null where there was none",
    "after": "the record with all its fields, under Home Assistant's names; null when it was deleted",
    "op": "`c` created, `u` updated, `d` deleted, `r` read: what filled an empty store",
    "ts_ms": "when it was written, Unix milliseconds",
    "source": "where it came from",
}
SOURCE = {
    "version": "this program's version",
    "connector": "`homeassistant`",
    "name": "`site.name`",
    "db": "`site.name` again, where Debezium has the database",
    "table": "the registry: `device`, `entity`, `area`, `floor`, `label`, `category` or `config_entry`",
    "ts_ms": "when Home Assistant was read, Unix milliseconds",
    "snapshot": "`true` for what filled an empty store, else `false`",
    "run_id": "the pass that wrote it, as in reports",
    "ha_version": "Home Assistant's version; null where it is not known",
    "hash": "the content hash of `after`; `-` when it was deleted",
    "cause": "why it was written: `pending`, `drift`, `conflict` or `foreign`, as in reports",
}
HEADERS = {
    "schema": "version of this shape; a program refuses what a newer one wrote",
    "hash": "as in `source`, to be read without the value",
    "owner": "who wrote it: host and process; in a fleet also the claim, `HOST-PROCESS@PARTITION.MILLISECONDS`, another one with each take-over",
}


def kafka_page() -> str:
    """Every topic, key, header and field in Kafka."""
    names = TopicNames("PREFIX")
    kinds = {
        names.records[0]: f"`{'`, `'.join(names.records)}`",
        names.changes: f"`{names.changes}`",
        names.sites: f"`{names.sites}`",
    }
    rows = [
        (shown, ", ".join(f"`{name}={value}`" for name, value in settings_of(names, topic, REPLICAS).items()))
        for topic, shown in kinds.items()
    ]
    return page(
        "Kafka",
        "[Send every change to Kafka](../how-to/kafka.md) shows how to read this.",
        "## Topics",
        f"Each has {PARTITIONS} partitions (`partitions=` of the address) and {REPLICAS} replicas (`replicas=`). A record's topic has its\n"
        f"newest event, and a tombstone for {TOMBSTONE_DAYS} days after it was deleted; the feed has every event of {CHANGES_DAYS} days. "
        "A pass is one\ntransaction over all of them.",
        table(("topics", "made with"), rows),
        f"`{names.sites}` is made for a fleet (`fleet.brokers`): who is assigned one of its partitions keeps that partition's homes. "
        "It has no messages.",
        "A home stands in one partition of each topic: the CRC-32 of `site.name`, modulo the number of partitions.",
        "## Key",
        '`{"site":"home","registry":"device","id":"..."}`: in this order, without spaces. The id of a category is `scope/category_id`.',
        "## Value",
        table(("field", "meaning"), [(f"`{name}`", text) for name, text in ENVELOPE.items()]),
        table(("field of `source`", "meaning"), [(f"`{name}`", text) for name, text in SOURCE.items()]),
        "## Headers",
        table(("header", "meaning"), [(f"`{name}`", text) for name, text in HEADERS.items()]),
    )
