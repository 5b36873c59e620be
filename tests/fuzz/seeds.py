"""Where mutations begin: real input, cut short, from the recorded homes.

Most of it is data that the repository carries; stores and backups are made from it.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import msgspec

from engine.core.guards.guard import Policy
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import Report
from engine.core.times import encode_document
from engine.core.words import Mode
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.pass_cache.file import PassCacheFile
from engine.replicas.history.replica import open_history
from engine.replicas.influx.outbox import open_outbox
from engine.replicas.rows.replica import open_rows
from engine.settings.sections import documented_settings
from engine.sources.files.capture import CaptureSource
from tests.sources.recorded_homes import DATA, clock, quiet, recorded, write_backup

RECORDED = DATA / "2026.11.0"
_FLUX = (
    "#datatype,string,long,dateTime:RFC3339,string,string,string,long,string\r\n"
    "#group,false,false,false,false,false,false,false,false\r\n#default,_result,,,,,,,\r\n"
    ",result,table,_time,_measurement,id,hash,schema,payload\r\n"
    ',,0,2026-11-23T12:00:00.000000001Z,ha_device,d1,1:ab,1,"{""id"": ""d1""}"\r\n\r\n'
    "#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,not found,1\r\n"
)
_INFLUXQL = (
    {"columns": ["time", "id", "hash"], "values": [[1, "d1", "1:ab"], [2, "d2", "-"]]},
    {
        "columns": ["time", "id", "hash", "schema", "payload"],
        "values": [[1, "d1", "1:ab", 1, '{"id": "d1", "name": "n"}'], [2, "d2", None, None, None]],
    },
    {"columns": ["name", "duration", "default"], "values": [["autogen", "168h0m0s", True]]},
)


@contextmanager
def folder_of(files: dict[str, bytes]) -> Iterator[Path]:
    """A folder of its own with these files."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as made:
        for name, content in files.items():
            (Path(made) / name).write_bytes(content)
        yield Path(made)


async def mirror(*replicas: Any) -> Report:
    """One pass of the small capture into replicas, the first of which is the rows file."""
    source = CaptureSource(Path(_kept_capture().name), clock=clock)
    options = PassOptions(Mode.APPLY, Policy(), frozenset(REGISTRIES), "r1", "home")
    cache = PassCacheFile(replicas[0].path)
    return await Reconciler(source, list(replicas), replicas[0], clock, quiet, cache=cache).run(options)


@cache
def stores() -> dict[str, bytes]:
    """The bytes of stores that hold the small capture, and of the report of making them."""
    with folder_of({}) as folder:
        rows, history = open_rows(folder / "rows.db"), open_history(folder / "history.db")
        report = anyio.run(mirror, rows, history)
        outbox = open_outbox("influxdb", folder / "outbox.db", bytes_max=1_000_000)
        outbox.put("influxdb", b"ha_device a=1")
        for store in (rows, history, outbox):
            store.close()
        plan = msgspec.structs.replace(report, mode="dry_run")
        names = ("*.db", "*.cache")
        return {p.name: p.read_bytes() for name in names for p in folder.glob(name)} | {
            "plan.json": encode_document(plan)
        }


@cache
def forgetful_history() -> bytes:
    """A history that forgot something."""
    with folder_of({"history.db": stores()["history.db"]}) as folder:
        history = open_history(folder / "history.db")
        with history.file.writing() as connection:
            connection.execute(
                "INSERT INTO records SELECT at_ns + 7000000000, registry, id, op, 2, hash, payload, digest, run_id,"
                " ha_version, modified_us FROM records"
            )
        assert sum(history.housekeeper.steps(history.housekeeper.plan(before_ns=2 * 10**18)))
        history.close()
        return (folder / "history.db").read_bytes()


@cache
def _kept_capture() -> "tempfile.TemporaryDirectory[str]":
    made = tempfile.TemporaryDirectory(prefix="fuzz-")
    for name, content in CAPTURE.items():
        (Path(made.name) / name).write_bytes(content)
    return made


def _first(rows: Any) -> Any:
    return dict(list(rows.items())[:3]) if isinstance(rows, dict) else rows[:3]


def _captured() -> dict[str, bytes]:
    names = [p.stem for p in RECORDED.glob("*.json") if p.stem not in ("protocol", "recovery_mode_lists")]
    results = {name: recorded(RECORDED, name) for name in sorted(names)}
    return {
        f"{name}.json": json.dumps(found if name == "get_config" else _first(found)).encode()
        for name, found in results.items()
        if found is not None
    }


def _stored() -> dict[str, bytes]:
    found = {}
    for path in sorted((RECORDED / "storage").iterdir()):
        document = json.loads(path.read_text())
        document["data"] = {name: _first(rows) for name, rows in document["data"].items()}
        found[path.name] = json.dumps(document).encode()
    return found


CAPTURE = _captured()
STORAGE = _stored()


def _backup(*, compressed: bool) -> bytes:
    with folder_of({}) as folder:
        (folder / "storage").mkdir()
        for name, content in STORAGE.items():
            (folder / "storage" / name).write_bytes(content)
        return write_backup(folder / "b.tar", folder / "storage", compressed=compressed).read_bytes()


def _inner() -> bytes:
    whole = _backup(compressed=False)
    return whole[whole.index(b"data/configuration.yaml") :]


def _messages(*starts: str) -> list[bytes]:
    """What the recorded server said in conversations that are called so, one message a line."""
    recording = json.loads((RECORDED / "protocol.json").read_text())
    reported = [
        reported
        for name, reported in recording.items()
        if name.startswith(starts) and isinstance(reported, list)
    ]
    return [b"\n".join(json.dumps(message).encode() for message in messages) for messages in reported]


def _events() -> list[bytes]:
    events = [
        {"event_type": "entity_registry_updated", "data": {"action": "update", "entity_id": "a.b"}},
        {"event_type": "device_registry_updated", "data": {"action": "remove", "device_id": "d"}},
        [{"type": "removed", "entry": {"entry_id": "e"}}],
    ]
    return [json.dumps({"id": 1, "type": "event", "event": event}).encode() for event in events]


def _influxql() -> list[bytes]:
    return [
        json.dumps({"results": [{"statement_id": 0, "series": [{"name": "ha_device", **series}]}]}).encode()
        for series in _INFLUXQL
    ] + [
        b'{"system": {"started": "2026-11-23T12:00:00Z"}}',
        b'{"version": "v2.7.11"}',
        b'{"error": "timeout"}',
    ]


def _settings() -> bytes:
    lines = [f"{s.name} = {json.dumps(s.default)}" for s in documented_settings()]
    return "\n".join(lines).encode()


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "addresses": lambda: [
        b"ws://homeassistant.local:8123",
        b"influxdbs://[::1]:8086/homes/long?org=o&wire=v2",
    ],
    "backup_file": lambda: [_backup(compressed=True), _backup(compressed=False)],
    "backup_inner": lambda: [_inner()],
    "capture_folder": lambda: [name.encode() + b"\n" + content for name, content in CAPTURE.items()],
    "change_offset": lambda: [b"0", b"205", b"9007199254740991"],
    "history_file": lambda: [stores()["history.db"], forgetful_history()],
    "influx_refusal": lambda: [
        b'Mon, 23 Nov 2026 12:00:00 GMT\n{"error": "partial write: field type conflict dropped=1"}',
        b'30\n{"code": "unauthorized", "message": "unauthorized access"}',
        b"text/html\n<html>login</html>",
    ],
    "influx_v1": _influxql,
    "influx_v2": lambda: [_FLUX.encode(), b'{"started": "2026-11-23T12:00:00Z", "up": "1h"}'],
    "outbox_file": lambda: [stores()["outbox.db"]],
    "pass_cache": lambda: [stores()["rows.db.cache"]],
    "query_string": lambda: [
        b"limit=100&after=a%20b&area_id=kitchen&label=x&at=2026-11-23T12:00:00Z",
        b"limit=10&domain=light&has_aliases=true&disabled=0&label=a&label=b",
        b"after=205&wait=0.5&registry=device&before=20261123T120000Z-abcdef",
    ],
    "rows_file": lambda: [stores()["rows.db"]],
    "saved_plan": lambda: [stores()["plan.json"]],
    "settings_file": lambda: [_settings()],
    "storage_files": lambda: [name.encode() + b"\n" + content for name, content in STORAGE.items()],
    "websocket_login": lambda: _messages("auth"),
    "websocket_messages": lambda: [*_events(), *_messages("command", "subscri", "coalesc", "ping")],
}
