"""The Flux texts, as they were type-checked, and the reading of annotated CSV."""

from pathlib import Path

import msgspec
import pytest

from engine.errors import ReplicaError, ReplicaRejected
from engine.replicas.influx.wires.failures import InfluxUnavailable
from engine.replicas.influx.wires.flux import (
    IDS_MAX,
    STOP_NS_MAX,
    flux_literal,
    flux_params,
    flux_scans,
    flux_script,
    flux_text,
    join_blocks,
    read_blocks,
    time_ns,
)
from engine.replicas.influx.wires.wire import Block, Scan

DATA = Path(__file__).parents[3] / "data" / "flux"
# The scans that the replica makes, by the name of the file that holds their text.
SCANS = {
    "hashes": Scan(measurements=("ha_area", "ha_device"), site="home", fields=("hash",), start_ns=5),
    "payloads": Scan(
        measurements=("ha_area", "ha_device"), site="home", fields=("hash", "payload"), stop_ns=9
    ),
    "newer": Scan(measurements=("ha_area", "ha_device"), site="home", fields=("schema",), start_ns=5),
    "some_records": Scan(
        measurements=("ha_entity",), site="home", fields=("hash", "rev"), ids=("a", "${b}"), start_ns=1
    ),
    "markers": Scan(
        measurements=("ha_run",),
        site="home",
        tags=(),
        fields=("state", "run", "window_s", "list_order"),
        stop_ns=9,
        newest_max=20,
    ),
    "named": Scan(measurements=("ha_entity",), site="home", fields=("entity_id",), equals="light.${b}"),
    "old_devices": Scan(
        measurements=("devices",), tags=("device_id", "manufacturer", "model", "area_id"), fields=("name",)
    ),
}
HASHES = SCANS["hashes"]
CSV = """#datatype,string,long,dateTime:RFC3339,string,string,string\r
#group,false,false,false,false,false,false\r
#default,_result,,,,,\r
,result,table,_time,_measurement,hash,id\r
,,0,2026-11-23T12:00:00.000000001Z,ha_device,1:ab,d1\r
,,0,2026-11-23T12:00:01Z,ha_area,1:cd,"a ""quoted"", one"\r
\r
"""


def blocks(text: str, scan: Scan = HASHES) -> list[Block]:
    return list(read_blocks("influxdb://h/b", text.splitlines(keepends=True), scan))


@pytest.mark.parametrize("name", SCANS)
def test_the_texts_are_those_that_were_type_checked(name: str) -> None:
    assert flux_text(SCANS[name]) + "\n" == (DATA / f"{name}.flux").read_text()


def test_values_are_parameters_and_never_in_the_text() -> None:
    scan = SCANS["some_records"]
    assert "${b}" not in flux_text(scan)
    assert "${b}" not in flux_text(SCANS["named"])
    assert flux_params("homes", SCANS["named"])["equals"] == "light.${b}"
    assert flux_params("homes", scan) == {
        "bucket": "homes",
        "site": "home",
        "start": 1,
        "stop": STOP_NS_MAX,
        "id0": "a",
        "id1": "${b}",
    }


def test_a_literal_evaluates_nothing_and_ends_nowhere() -> None:
    assert flux_literal(5) == "5"
    assert flux_literal("kitchen2") == '"kitchen2"'
    assert flux_literal('é"${x}\\') == r'"\xc3\xa9\x22\x24\x7bx\x7d\x5c"'
    assert flux_script("my bucket", HASHES).splitlines()[:4] == [
        r'bucket = "my\x20bucket"',
        "start = 5",
        f"stop = {STOP_NS_MAX}",
        'site = "home"',
    ]


def test_many_ids_are_asked_for_in_pieces_and_many_records_by_type() -> None:
    many = tuple(f"i{n}" for n in range(2 * IDS_MAX + 1))
    pieces = flux_scans(msgspec.structs.replace(HASHES, ids=many))
    assert [len(piece.ids) for piece in pieces] == [IDS_MAX, IDS_MAX, 1]
    assert tuple(id_ for piece in pieces for id_ in piece.ids) == many
    mixed = msgspec.structs.replace(HASHES, fields=("hash", "rev", "payload", "schema"))
    assert [scan.fields for scan in flux_scans(mixed)] == [("hash", "payload"), ("rev", "schema")]
    assert flux_scans(SCANS["markers"]) == [SCANS["markers"]]


def test_rows_of_several_scans_are_joined_by_time_and_tags() -> None:
    scan = Scan(measurements=("ha_area", "ha_device"), fields=("hash", "rev", "payload"))
    texts = [Block("ha_area", [[5, "a", "1:x", "{}"], [6, "a", "1:y", None]])]
    numbers = [Block("ha_area", [[6, "a", 2]]), Block("ha_device", [[5, "a", 1]])]
    assert list(join_blocks(scan, [(("hash", "payload"), texts), (("rev",), numbers)])) == [
        Block("ha_area", [[5, "a", "1:x", None, "{}"], [6, "a", "1:y", 2, None]]),
        Block("ha_device", [[5, "a", None, 1, None]]),
    ]


def test_rows_are_read_with_their_times() -> None:
    assert blocks(CSV) == [
        Block("ha_device", [[1_795_435_200_000_000_001, "d1", "1:ab"]]),
        Block("ha_area", [[1_795_435_201_000_000_000, 'a "quoted", one', "1:cd"]]),
    ]


def test_values_have_the_types_of_their_columns_and_absent_ones_are_none() -> None:
    text = CSV.replace(
        "dateTime:RFC3339,string,string,string", "dateTime:RFC3339,string,boolean,long"
    ).replace("hash,id", "deleted,rev")
    text = text.replace("1:ab,d1", "true,7").replace('1:cd,"a ""quoted"", one"', ",")
    scan = Scan(measurements=("ha_device", "ha_area"), tags=("id",), fields=("deleted", "rev", "payload"))
    assert [rows for _, rows in blocks(text, scan)] == [
        [[1_795_435_200_000_000_001, None, True, 7, None]],
        [[1_795_435_201_000_000_000, None, None, None, None]],
    ]


def test_several_tables_may_have_several_columns() -> None:
    other = CSV.replace("hash,id", "id,hash").replace("1:ab,d1", "d2,1:ef")
    found = {row[1]: row[2] for _, rows in blocks(CSV + other) for row in rows}
    assert found["d1"] == "1:ab"
    assert found["d2"] == "1:ef"


def test_a_column_of_another_type_is_refused() -> None:
    text = CSV.replace("dateTime:RFC3339,string,string,string", "dateTime:RFC3339,string,double,string")
    with pytest.raises(ReplicaRejected, match=r"hash of type double.*Delete the points") as reported:
        blocks(text.replace("1:ab", "1.5").replace("1:cd", "2.5"))
    assert "ha_area" in reported.value.message


def test_an_empty_answer_is_an_empty_result() -> None:
    assert blocks("") == []
    assert blocks("\r\n") == []


ERROR_TABLE = '\r\n#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,"failed: {}",897\r\n'


@pytest.mark.parametrize("before", ["", CSV])
@pytest.mark.parametrize(
    ("reported", "kind"),
    [("query terminated: timeout exceeded", InfluxUnavailable), ("bucket not found", ReplicaRejected)],
)
def test_an_error_table_is_an_error_also_after_rows(
    before: str, reported: str, kind: type[ReplicaError]
) -> None:
    with pytest.raises(kind, match=reported):
        blocks(before + ERROR_TABLE.format(reported))


@pytest.mark.parametrize(
    "text", ["<html><body>login</body></html>", CSV.replace(",1:ab,d1", ",1:ab"), '{"a":1}', "a,b\r\n1,2"]
)
def test_what_is_no_flux_result_is_an_error(text: str) -> None:
    with pytest.raises(InfluxUnavailable, match="not complete"):
        blocks(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-23T12:00:00Z", 1_795_435_200_000_000_000),
        ("2026-11-23T12:00:00.1Z", 1_795_435_200_100_000_000),
        ("2026-11-23T12:00:00.123456789Z", 1_795_435_200_123_456_789),
    ],
)
def test_times_are_exact_to_the_nanosecond(text: str, expected: int) -> None:
    assert time_ns(text) == expected


@pytest.mark.parametrize("text", ["", "now", "2026-11-23", "2026-11-23T12:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unpack"):
        time_ns(text)
