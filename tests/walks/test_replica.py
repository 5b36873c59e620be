"""A replica is added as CONTRIBUTING says: a folder that satisfies the port, and the lines that open it; a pass fills it."""

import json
from pathlib import Path

import pytest

from tests.walks.copied_program import SAMPLE, CopiedProgram

pytestmark = pytest.mark.process

REPLICA = '''"""A file of JSON lines as a replica: each record in its canonical form."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.core.compare.plan import Operation
from engine.core.compare.stored import StoredRow
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Key
from engine.core.records.record_json import decode_record, encode_record, canonical_fields
from engine.ports import Observed, Replica, Run


class Lines(Replica):
    """One line per record."""

    name = "lines"
    stores_derived = False

    def __init__(self, path: Path) -> None:
        self._path = path

    def _records(self):
        text = self._path.read_bytes() if self._path.exists() else b""
        lines = (line.split(b" ", 1) for line in text.split(b"\\n") if line)
        return {r.key: r for r in (decode_record(registry.decode(), record) for registry, record in lines)}

    def data_version(self) -> int | None:
        return None

    def file_signature(self):
        return None

    def observe(self) -> Observed:
        return Observed({key: content_hash(record) for key, record in self._records().items()})

    def read(self, keys: Iterable[Key]) -> dict[Key, StoredRow]:
        found = self._records()
        return {key: StoredRow(key, canonical_fields(found[key])) for key in keys if key in found}

    def apply(self, operations: Sequence[Operation], run: Run) -> None:
        records = self._records()
        for operation in operations:
            records.pop(operation.moved_from or operation.key, None)
            if operation.after is not None:
                records[operation.key] = operation.after
        lines = (key.registry.encode() + b" " + encode_record(record) for key, record in sorted(records.items()))
        self._path.write_bytes(b"\\n".join(lines))

    def close(self) -> None:
        """Nothing is held."""
'''
OPENED = """    if scheme == "lines" and rest:
        from engine.replicas.lines.replica import Lines

        return Lines(Path(rest))
"""


INSERTIONS = {
    "engine/composition/stores.py": [
        (OPENED, "    if is_influx(uri):\n        from engine.composition.influx")
    ]
}
NEW_FILES = {
    "engine/replicas/lines/__init__.py": '"""A file of lines."""\n',
    "engine/replicas/lines/replica.py": REPLICA,
}


def test_a_replica_is_added_as_a_folder_and_lines_that_open_it(tmp_path: Path) -> None:
    program = CopiedProgram(tmp_path / "program", INSERTIONS, NEW_FILES)
    arguments = ("--source", f"capture:{SAMPLE}", "--rows", "rows.db", "--records", "lines:home.lines")
    filled = program.reconcile(tmp_path, *arguments)
    assert "lines" in filled
    lines = (tmp_path / "home.lines").read_text(encoding="utf-8").split("\n")
    assert len(lines) == 205
    assert {line.split(" ", 1)[0] for line in lines} >= {"device", "entity", "area"}
    assert all(json.loads(line.split(" ", 1)[1]) for line in lines)
    assert program.reconcile(tmp_path, *arguments).startswith("Nothing to do")
    (tmp_path / "home.lines").write_text("\n".join(lines[1:]), encoding="utf-8")
    assert "1 added (lines" in program.reconcile(tmp_path, *arguments)
