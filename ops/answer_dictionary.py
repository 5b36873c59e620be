"""What each field of a report and of a change means; `ops/answer_pages.py` prints it.

A field without an entry here, or an entry without a field, fails `tests/test_documented.py`.
"""

STATUS = "`in_sync`, `out_of_sync`, `blocked` or `unknown`"
REGISTRY = "`device`, `entity`, `area`, `floor`, `label`, `category` or `config_entry`"

REPORT = {
    "Report": {
        "schema_version": "version of this document",
        "status": f"{STATUS}: that of the worst replica",
        "mode": "`apply`, `dry_run`, `observe` or `drift`",
        "run_id": "the pass; the change feed and the records name it too",
        "site": "`site.name`",
        "compared_at": "when Home Assistant was read for the comparison",
        "duration_seconds": "how long the pass took",
        "source": "where the records came from",
        "replicas": "each replica: how it compared, what was planned, what was done",
        "records": "each record that differs, once for each replica that differs on it",
        "errors": "what could not be looked at or written",
        "partial": "one replica failed while another was served",
        "phase_seconds": "how long comparing and applying took, over all replicas",
        "set_aside": "rows of Home Assistant whose record cannot be identified; they were not compared",
    },
    "SourceReport": {
        "uri": "`source.uri`",
        "connected": "whether it could be read",
        "version": "Home Assistant's version",
        "state": "Home Assistant's own state, such as `RUNNING`; null in files that do not have it",
        "records": "records that it has",
        "registries": "registries that were read and compared; null when nothing was",
        "backup_at": "when the backup was made that was read; null for any other source",
        "note": "why that is not the date in the backup; null otherwise",
    },
    "ReplicaReport": {
        "replica": "`sqlite`, `history`, `influxdb` or `kafka`",
        "status": STATUS,
        "counts": "records by how they compared, before anything was written",
        "planned": "operations that were to be done",
        "applied": "operations that were done, and read back",
        "refusals": "guards that held operations back",
        "waiting": "deletes that wait for a second look",
        "fingerprint": "digest of all records of the replica",
        "error": "why it could not be compared or written; null when it could",
        "note": "what was corrected in it besides the plan",
        "kept": "`REGISTRY/ID` of the rows that were not compared, because a row that was set aside may be theirs",
    },
    "Counts": {
        "in_sync": "equal on both sides",
        "missing": "only Home Assistant has them",
        "stale": "the replica has another version",
        "orphaned": "only the replica has them, and this program wrote them",
        "foreign": "only the replica has them, and this program never wrote them",
        "kept": "not compared, because a row that was set aside may be theirs",
    },
    "PlanCounts": {
        "upsert": "rows written",
        "move": "rows that got another key, such as a new entity_id",
        "delete": "rows removed",
    },
    "RefusalReport": {
        "guard": "the guard",
        "message": "what it found, with the numbers",
        "hint": "what would change that",
        "held": "operations that it holds back",
        "command": "what allows it, for one run; null when nothing does",
        "name": "what `plan.allow_deletes` calls the deletes that it holds; null where that allows nothing",
    },
    "RecordReport": {
        "replica": "the replica that differs",
        "registry": REGISTRY,
        "key": "the record's id; of a category its scope and id",
        "name": "the name that Home Assistant shows",
        "kind": "`missing`: only Home Assistant has it; `stale`: it differs; `orphaned`: only the replica has it",
        "cause": "whose change it was: `pending` (Home Assistant's), `drift` (another program's), `conflict` (both), `foreign`",
        "action": "`upsert`, `move` or `delete`; null when it is only reported",
        "outcome": "`planned`, `applied`, `held` (by a guard), `waiting` (a delete for its second look, or a change for such a delete), `observed`, `failed` or `reported`",
        "fields": "the fields that differ",
        "source_hash": "content hash of Home Assistant's version",
        "replica_hash": "content hash of the replica's version",
        "applied_hash": "content hash of the version that was last written",
        "since": "when the difference began, or was found first; null when that is not known",
        "why": "why it differs, is foreign or is to be deleted, as sentences",
        "entity_id": "the entity_id of an entity",
        "waits_for_backup": "whether what is `waiting` waits for a newer backup, and not for a second look",
    },
    "FieldChange": {
        "name": "the field",
        "source": "Home Assistant's value; null when it has none",
        "replica": "the replica's value; null when it has none",
    },
    "ErrorReport": {
        "subject": "`source`, or the replica",
        "message": "what was tried, where, with which value",
        "hint": "what to change",
        "transient": "whether trying again may help",
    },
    "SetAside": {
        "registry": REGISTRY,
        "field": "the field that is unusable",
        "found": "JSON type of what was found there",
        "reason": "why that does not identify a record",
        "id": "its id, as far as known",
        "entity_id": "its entity_id, as far as known",
        "name": "its name, as far as known",
        "position": "its place in Home Assistant's list, from 1",
    },
}
CHANGE = {
    "Change": {
        "seq": "number of the change, rising by one; go on behind it with `after` or `Last-Event-ID`",
        "op": "`c` (create), `u` (update) or `d` (delete)",
        "registry": REGISTRY,
        "key": "the record's id; of a category its scope and id",
        "before": "an update: the fields that differ, as they were; a delete: all fields; null for a create",
        "after": "an update: the fields that differ, as they are; a create: all fields; null for a delete",
        "ts_ms": "when the row was written, Unix milliseconds",
        "source": "where the change came from",
        "cause": "`pending` (Home Assistant changed), `drift` or `conflict` (another program had changed the row), `foreign`",
        "run_id": "the pass that wrote it",
    },
    "ChangeSource": {
        "name": "always `homeassistant`",
        "version": "Home Assistant's version",
        "snapshot": "always false; there so that readers of Debezium's form find it",
        "ts_ms": "as above",
        "revision": "as `seq`",
    },
    "ChangesPage": {
        "changes": "the changes, oldest first",
        "count": "number of them",
        "limit": "most changes of this page",
        "next": "go on behind this number",
        "oldest": "number of the oldest change that the feed still holds; null when it is empty",
    },
}
# The events of /api/changes/stream: event, data, meaning.
STREAM = (
    ("change", "a `Change`", "a row changed; the event's id is its `seq`"),
    (
        "reset",
        "`reason` (`expired` or `too_slow`), `next`",
        "changes were missed that the feed no longer holds: read the lists again, and continue after `next`",
    ),
    ("bye", "an empty object", "the service stops; come back with `Last-Event-ID`"),
)
