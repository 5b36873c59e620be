"""What each topic, header and field in Kafka means, as a reference page; `ops/documentation.py` writes it.

A field without an entry here, or an entry without a field, fails `tests/test_documented.py`.
"""

from engine.replicas.kafka.address import PARTITIONS, REPLICAS
from engine.replicas.kafka.sites.site_status import HEARTBEAT_SECONDS, PAUSE_SECONDS
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
SITE = {
    "site": "`site.name`",
    "owner": "the process that keeps the home: host and process, as the consumer group has it",
    "claim": "number of the ownership; a later one is larger, and a message with a smaller one than another is to be ignored",
    "stage": "how far the owner is with it: `waiting`, `kept`, `paused`, `invalid` and `failed` as in `/api/sites`; "
    "`unconfigured` when the owner has no settings file for it; `released` when it has given it up",
    "status": "`in_sync`, `out_of_sync`, `blocked` or `unknown`, as the owner knew it at `ts_ms`",
    "ts_ms": "when this was written, Unix milliseconds",
    "label": "`site.label`",
    "tags": "`site.tags`",
    "url": "address of the owner's API (`fleet.url`); empty where none is set",
    "since_ms": "since when it has this status, Unix milliseconds; null where that is not known",
    "reason": "why it is no further, or what is wrong; null where there is nothing to say",
    "source": "address of its Home Assistant; null until it was read",
    "connected": "whether its Home Assistant is followed",
    "heard_ms": "when its Home Assistant last sent something, Unix milliseconds; null where it did not",
    "blocked": "whether a guard holds changes back",
    "records": "records of the last full read by registry; empty while they are not known",
    "drift_records": "records on which a store still differs; null while that is not known",
    "pending": "changes that are found and not yet written",
    "synced_ms": "up to when all its stores hold every change, Unix milliseconds; null where they never did",
    "ha_version": "Home Assistant's version; null where it is not known",
}
WORKER = {
    "worker": "the process, as the consumer group has it",
    "state": "`active`, or `drained`: it keeps no homes until that is undone",
    "ts_ms": "when this was written, Unix milliseconds",
    "url": "address of its API (`fleet.url`); empty where none is set",
    "version": "this program's version",
    "since_ms": "since when it is in this state, Unix milliseconds",
    "settings": "of each home that it has a file of, a digest of the settings without secrets; null where the file is broken",
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
        "Its\nmessages say how the homes are, see below.",
        "A home stands in one partition of each topic: the CRC-32 of `site.name`, modulo the number of partitions.",
        "## Key",
        '`{"site":"home","registry":"device","id":"..."}`: in this order, without spaces. The id of a category is `scope/category_id`.',
        "## Value",
        table(("field", "meaning"), [(f"`{name}`", text) for name, text in ENVELOPE.items()]),
        table(("field of `source`", "meaning"), [(f"`{name}`", text) for name, text in SOURCE.items()]),
        "## Headers",
        table(("header", "meaning"), [(f"`{name}`", text) for name, text in HEADERS.items()]),
        "## Homes and processes of a fleet",
        f'In `{names.sites}` each home has the key `{{"site":"home"}}`. Its owner writes what follows when something changes, at most every {PAUSE_SECONDS} '
        f"seconds and at least\nevery {HEARTBEAT_SECONDS}; a message that is {2 * HEARTBEAT_SECONDS} seconds old says nothing about now. "
        "A tombstone means that the home was removed for good. The header\n`claim` has the field of that name.",
        table(("field of a home", "meaning"), [(f"`{name}`", text) for name, text in SITE.items()]),
        'A process has the key `{"worker":"HOST-PROCESS"}`, and a tombstone when it has left, or said nothing for a day.',
        table(("field of a process", "meaning"), [(f"`{name}`", text) for name, text in WORKER.items()]),
        "Fields may be added. These messages are not fenced as records are: of two owners' messages about a home the one with the larger `claim` counts.",
        "A message whose `claim` or `ts_ms` is more than a day in the future, or that is not in its home's partition, is to be ignored: this program counts and names it.",
    )
