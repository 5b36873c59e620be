"""The outbox: kept, bounded, beside the rows."""

from pathlib import Path

import apsw
import pytest

from engine.errors import ReplicaDamaged, ReplicaRejected, ReplicaUnavailable
from engine.replicas.influx.outbox import open_outbox
from engine.replicas.rows.replica import open_rows
from tests.homes import ENTRY, snapshot
from tests.replicas.passes import one_pass


def test_a_batch_stays_until_it_is_dropped_also_when_the_process_ends(tmp_path: Path) -> None:
    outbox = open_outbox("influxdb", tmp_path / "rows.db")
    first, second = outbox.put("influxdb", b"one\ntwo"), outbox.put("influxdb", b"\x00\xff")
    outbox.close()
    again = open_outbox("influxdb", tmp_path / "rows.db")
    assert again.pending("influxdb") == [(first, b"one\ntwo"), (second, b"\x00\xff")]
    again.drop(first)
    assert again.pending("influxdb") == [(second, b"\x00\xff")]
    assert again.pending("other") == []
    again.close()
    again.close()


def test_looking_into_the_outbox_creates_nothing(tmp_path: Path) -> None:
    assert open_outbox("influxdb", tmp_path / "rows.db").pending("influxdb") == []
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_never_given_again(tmp_path: Path) -> None:
    outbox = open_outbox("influxdb", tmp_path / "rows.db")
    first = outbox.put("influxdb", b"a")
    outbox.drop(first)
    assert outbox.put("influxdb", b"b") > first


def test_a_full_outbox_refuses_and_names_the_setting(tmp_path: Path) -> None:
    outbox = open_outbox("influxdb", tmp_path / "rows.db", bytes_max=10)
    number = outbox.put("influxdb", b"12345678")
    with pytest.raises(ReplicaUnavailable, match=r"holds 8 bytes.*records\.outbox_bytes_max") as caught:
        outbox.put("influxdb", b"abc")
    assert caught.value.replica == "influxdb"
    outbox.drop(number)
    outbox.put("influxdb", b"abc")


def test_it_lives_beside_the_rows_and_not_in_them(tmp_path: Path) -> None:
    outbox = open_outbox("influxdb", tmp_path / "rows.db.outbox")
    outbox.put("influxdb", b"before the first pass")
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(ENTRY))
    assert rows.observe().versions == snapshot(ENTRY).home.row_versions
    assert [body for _, body in outbox.pending("influxdb")] == [b"before the first pass"]
    rows.close()
    outbox.close()
    with pytest.raises(ReplicaRejected, match="The file is a rows file, but an outbox was expected"):
        open_outbox("influxdb", tmp_path / "rows.db").pending("influxdb")


def test_an_outbox_of_a_newer_program_is_left_as_it_is(tmp_path: Path) -> None:
    outbox = open_outbox("influxdb", tmp_path / "outbox")
    outbox.put("influxdb", b"a")
    outbox.close()
    connection = apsw.Connection(str(tmp_path / "outbox"))
    connection.pragma("user_version", 1)
    connection.close()
    for attempt in (lambda: outbox.pending("influxdb"), lambda: outbox.put("influxdb", b"b")):
        with pytest.raises(ReplicaRejected, match="schema version 1, and this program knows 0"):
            attempt()
    outbox.close()


@pytest.mark.parametrize("part", ["middle", "half"])
def test_a_damaged_outbox_is_refused_in_one_line(tmp_path: Path, part: str) -> None:
    path = tmp_path / "outbox"
    outbox = open_outbox("influxdb", path)
    for _ in range(20):
        outbox.put("influxdb", b"x" * 4_000)
    outbox.close()
    content = bytearray(path.read_bytes())
    if part == "middle":
        content[4_096:12_288] = b"\xa5" * 8_192
    else:
        del content[len(content) // 2 :]
    path.write_bytes(content)
    with pytest.raises(ReplicaDamaged, match="damaged or not a SQLite database") as caught:
        outbox.pending("influxdb")
    assert "\n" not in str(caught.value)
    outbox.close()


def test_what_is_no_batch_is_not_sent(tmp_path: Path) -> None:
    outbox = open_outbox("influxdb", tmp_path / "outbox")
    outbox.put("influxdb", b"a")
    connection = apsw.Connection(str(tmp_path / "outbox"))
    connection.execute("UPDATE reconcile_outbox SET body = 7")
    connection.close()
    assert outbox.pending("influxdb") == []
    outbox.close()
