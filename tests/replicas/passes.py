"""One pass over one replica without loop or guards, and the ways in which tests disturb a file."""

import json
from collections.abc import Mapping
from pathlib import Path

import apsw

from engine.core.compare.diff import adopt, compare
from engine.core.compare.plan import Plan, make_plan
from engine.core.compare.stored import StoredRow
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key, Record
from engine.core.records.record_json import make_record
from engine.ports import Ledger, Replica, Run
from tests.homes import NOON

DATA = Path(__file__).parents[1] / "data"


def versions(replica: Replica, desired: Snapshot) -> Mapping[Key, str]:
    return desired.home.row_versions if replica.stores_derived else desired.home.hashes


def run_of(replica: Replica, desired: Snapshot, at: float = NOON, run_id: str = "run") -> Run:
    return Run(run_id, at, "test", "2026.11.0", versions(replica, desired), snapshot=desired)


def plan_of(replica: Replica, ledger: Ledger, desired: Snapshot, *, prune_foreign: bool = False) -> Plan:
    observed, aliases = adopt(replica.observe().versions, desired.home.records)
    diff = compare(
        versions(replica, desired), observed, ledger.applied(replica.name), desired.reading.registries
    )
    ledger.record_applied(replica.name, diff.settled, NOON)
    known_as = {aliases.get(d.key, d.key): d.key for d in diff.differences}
    stored = {known_as[key]: row for key, row in replica.read(known_as).items()}
    stored = {key: StoredRow(key, row.fields, row.derived, row.timestamps) for key, row in stored.items()}
    return make_plan(
        replica.name, diff, desired, stored, with_derived=replica.stores_derived, prune_foreign=prune_foreign
    )


def one_pass(  # a pass as the loop makes it, every operation allowed
    replica: Replica,
    ledger: Ledger,
    desired: Snapshot,
    *,
    at: float = NOON,
    run_id: str = "run",
    prune_foreign: bool = False,
) -> Plan:
    plan = plan_of(replica, ledger, desired, prune_foreign=prune_foreign)
    replica.apply(plan.operations, run_of(replica, desired, at, run_id))
    if replica.name != "sqlite":
        ledger.record_applied(replica.name, [(o.key, o.difference.desired) for o in plan.operations], at)
    return plan


def captured_records(version: str) -> list[Record]:
    """Every registry item of a recorded home."""
    folder = DATA / "home_assistant" / version / "rich"
    records: list[Record] = []
    for registry in ("area", "floor", "label", "device"):
        records += [make_record(registry, row) for row in result(folder / f"{registry}_registry_list.json")]
    for path in sorted(folder.glob("category_registry_list_*.json")):
        scope = path.stem.rpartition("_")[2]
        records += [make_record("category", {**row, "scope": scope}) for row in result(path)]
    entries = json.loads((folder / "entity_registry_get_entries.json").read_text())["result"]
    records += [make_record("entity", row) for row in entries.values() if row]
    for row in result(folder / "config_entries_get.json"):
        named: dict[str, object] = {
            k: row[k] for k in ("entry_id", "domain", "title", "source", "disabled_by") if k in row
        }
        records.append(make_record("config_entry", named))
    return records


def result(path: Path) -> list[dict[str, object]]:
    """The list a recorded command answered; empty if that core does not know the command."""
    message = json.loads(path.read_text())
    rows: list[dict[str, object]] = message["result"] if message.get("success") else []
    return rows


def sql(path: Path, statement: str, *bindings: str | int | float | bytes | None) -> list[tuple[object, ...]]:
    """Run statements as another program would.

    With apsw: a second copy of SQLite in one process, such as the standard library's, drops the first one's locks.
    """
    connection = apsw.Connection(str(path))
    # Whoever opens a file with a log, or is the last to close it, holds it for a moment.
    connection.set_busy_timeout(10_000)
    try:
        return list(connection.execute(statement, bindings))
    finally:
        connection.close()


def folder_state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def make_homeiq(path: Path) -> list[dict[str, str]]:
    """A HomeIQ database with its five devices; returns them."""
    devices: list[dict[str, str]] = json.loads((DATA / "homeiq" / "devices.json").read_text())
    sql(path, (DATA / "homeiq" / "schema.sql").read_text())
    for row in devices:
        sql(
            path,
            f"INSERT INTO devices ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
            *row.values(),
        )
    return devices
