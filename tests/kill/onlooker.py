"""What another program sees of a rows file, and a process that looks all the time.

One look is one read transaction. Whatever instant it falls on, the rows are those of one whole plan, the ledger's are
the rows', and the change feed is complete and gives the rows when it is replayed.

Run as `python -m tests.kill.onlooker`, it takes `watch FILE` and `stop`, and answers `stop` with what it saw.
"""

import os
import random
import select
import subprocess
import sys
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

import apsw
import msgspec

from engine.core.records.record import RECORD_TYPES, Json, Key
from engine.replicas.rows.codec import digest_row
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.ledger import entries
from engine.replicas.rows.ledger.feed import FeedEntry, read_changes
from engine.replicas.rows.reader import find_rows, observe_rows
from engine.replicas.rows.schema import ROW_LAYOUT, columns_of

ROOT = Path(__file__).parents[2]
PAUSE_SECONDS = 0.002
_SEQ_MAX = 2**31

Fields = dict[str, Json]


class Look(msgspec.Struct, frozen=True):
    """What one read transaction showed."""

    rows: str  # digest of the versions of all rows
    booked: int  # rows that are in the ledger
    feed: tuple[str, ...]  # a digest of every entry
    wrong: tuple[str, ...]  # what must never be seen
    fields: dict[Key, Fields] = {}


class Seen(msgspec.Struct):
    """What an onlooker saw of one file."""

    looks: int = 0
    rows: list[str] = []  # every state of the rows, in the order of first sight
    wrong: list[str] = []
    unreadable: dict[str, int] = {}  # looks that the file did not allow, by error


def look_at(path: Path, start: Mapping[Key, Fields]) -> Look:
    """One look at a file, with a connection of its own. `start`: the rows before the feed began."""
    connection = open_file(path)
    try:
        return look(connection, start)
    finally:
        connection.close()


def open_file(path: Path) -> apsw.Connection:
    """As a program opens it that only reads."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(60_000)
    return connection


def look(connection: apsw.Connection, start: Mapping[Key, Fields]) -> Look:
    """One read transaction. Raises apsw.Error when the file does not allow it."""
    connection.execute("BEGIN")
    try:
        versions = observe_rows(connection, "sqlite", trust_digests=False)
        found = find_rows(connection, versions)
        feed = read_changes(connection, 0, _SEQ_MAX)
        fields = {key: row.stored.fields | row.stored.derived for key, row in found.items()}
        wrong = []
        if [change.seq for change in feed] != list(range(1, len(feed) + 1)):
            wrong.append(f"the feed's numbers are {[change.seq for change in feed]}")
        # Rows of fewer columns, as an older program left them, say less than ledger and feed until they are migrated.
        if _row_layout(connection) == ROW_LAYOUT:
            digests = {key: digest_row(row.values) for key, row in found.items()}
            wrong += _wrong_books(connection, digests)
            if replay(feed, start, fields) != {key: counted(key, row) for key, row in fields.items()}:
                wrong.append(f"the feed of {len(feed)} entries does not give the {len(fields)} rows")
        applied = entries.read_applied(connection, "sqlite")
        return Look(
            rows=digest_of(versions),
            booked=len(applied.keys() & versions.keys()),
            feed=tuple(_digest(change) for change in feed),
            wrong=tuple(wrong),
            fields=fields,
        )
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _row_layout(connection: apsw.Connection) -> object:
    if not columns_of(connection, "reconcile_meta"):
        return None
    rows = connection.execute("SELECT value FROM reconcile_meta WHERE name = 'row_layout'").fetchall()
    return rows[0][0] if rows else None


def _wrong_books(connection: apsw.Connection, digests: Mapping[Key, str]) -> list[str]:
    wrong = []
    for registry in TABLES:
        for id_, (digest, _) in entries.read_digests(connection, "sqlite", registry).items():
            key = Key(registry, id_)
            if key not in digests:
                wrong.append(f"{key} is in the ledger and not among the rows")
            elif digest is not None and digest != digests[key]:
                wrong.append(f"{key} is not what the ledger says")
    return wrong


def replay(
    feed: list[FeedEntry], start: Mapping[Key, Fields], rows: Mapping[Key, Fields]
) -> dict[Key, Fields]:
    """The rows that the feed gives, without the fields that it leaves out.

    An adopted entity was under its entity_id, which `rows` has.
    """
    state = {key: counted(key, fields) for key, fields in start.items()}
    for change in feed:
        key = change.key
        if change.op == "d":
            state.pop(key, None)
            continue
        if key not in state and change.op == "u":
            state[key] = state.pop(Key(key.registry, str(rows.get(key, {}).get("entity_id"))), {})
        before = {} if change.op == "c" else state[key]
        state[key] = counted(key, {**before, **(change.after or {})})
    return state


def counted(key: Key, fields: Fields) -> Fields:
    """The fields that the feed follows: those that count in a comparison and say something."""
    unhashed = RECORD_TYPES[key.registry].UNHASHED
    said = {name: value for name, value in fields.items() if value is not None and name not in unhashed}
    as_told: Fields = msgspec.json.decode(msgspec.json.encode(said, order="sorted"))  # the feed is JSON
    return as_told


def digest_of(versions: Mapping[Key, str]) -> str:
    """What `Look.rows` is for rows of these versions."""
    return _digest(sorted(versions.items()))


def _digest(what: object) -> str:
    return blake2b(msgspec.json.encode(what), digest_size=8).hexdigest()


NOTHING = Look(rows=digest_of({}), booked=0, feed=(), wrong=())  # of a file that is empty or not there


class Onlooker:
    """A process that looks at one file after the other."""

    def __enter__(self) -> "Onlooker":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.kill.onlooker"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()  # it ends with its orders
        self._process.wait(30)
        self._process.stdout.close()

    def watch(self, path: Path) -> None:
        """Look from now on; returns after the first look."""
        self._say(f"watch {path}\n")
        self._collect_events()

    def stop(self) -> Seen:
        """What was seen, one last look at what is there now included."""
        self._say("stop\n")
        return msgspec.json.decode(self._collect_events(), type=Seen)

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())
        self._process.stdin.flush()

    def _collect_events(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the onlooker ended"
        return line


class _Watch:
    """Looks at one file, now and then with a new connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: apsw.Connection | None = None
        self._data_version: object = None
        self._draw = random.Random(path.name)
        self._start: dict[Key, Fields] = {}
        self._feed: tuple[str, ...] = ()
        self.seen = Seen()

    def look(self) -> None:
        try:
            if self._connection is None:
                self._connection = open_file(self._path)
                self._data_version = None
            data_version = self._connection.pragma("data_version")
            # Most looks are skipped while there is no commit: they cost time, and could only show the same.
            if data_version == self._data_version and self._draw.random() < 0.8:
                return
            self._data_version = data_version
            found = look(self._connection, self._start)
        except apsw.Error as error:
            name = type(error).__name__
            self.seen.unreadable[name] = self.seen.unreadable.get(name, 0) + 1
            self.close()
            return
        self.seen.looks += 1
        if not found.feed:
            self._start = found.fields
        if found.rows not in self.seen.rows:
            self.seen.rows.append(found.rows)
        # Who has read up to a number never finds something else under it.
        if found.feed[: len(self._feed)] != self._feed:
            self.seen.wrong.append("entries of the feed that had been read have changed")
        self._feed = found.feed
        self.seen.wrong += [w for w in found.wrong if w not in self.seen.wrong]
        if self._draw.random() < 0.1:
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def watch_on_orders() -> None:
    """The program."""
    watch: _Watch | None = None
    while True:
        ready, _, _ = select.select([0], [], [], PAUSE_SECONDS if watch else None)
        if not ready:
            assert watch is not None
            watch.look()
            continue
        # Unbuffered, and one order is answered before the next is given.
        order = os.read(0, 4096).decode()
        if not order:
            return
        if order == "stop\n":
            assert watch is not None
            watch.look()
            watch.close()
            _tell(watch.seen)
            watch = None
        else:
            watch = _Watch(Path(order.removeprefix("watch ").rstrip("\n")))
            watch.look()
            _tell("watching")


def _tell(what: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    watch_on_orders()
